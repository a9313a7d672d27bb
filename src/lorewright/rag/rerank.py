"""A cross-encoder that reads question and passage together and orders passages again, if it can in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.rag.embed import quiet


class Reranker:
    """One model with one thread of its own: while that is busy, others are not kept waiting."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rerank")
        self._lock = threading.Lock()
        self._running: Future[list[float]] | None = None

    def scores(self, question: str, texts: Sequence[str], seconds: float) -> list[float] | None:
        """For each text how well it answers, higher is better; None when that takes too long. Safe to call from several threads."""
        deadline = time.monotonic() + seconds
        with self._lock:
            if self._running and not self._running.done():
                return None
            self._running = own = self._thread.submit(self._predict, question, list(texts))
        try:
            return own.result(deadline - time.monotonic())
        except TimeoutError:
            return None

    def _predict(self, question: str, texts: list[str]) -> list[float]:
        pairs = [(question, text) for text in texts]
        return [float(score) for score in self._model.predict(pairs, show_progress_bar=False)]


@cache
def load_reranker(name: str) -> Reranker:
    """The cross-encoder that `name` means, a folder or a hub name; loaded once, and asked once, which the first time takes longest.

    Raises LorewrightError when it is not there or is no cross-encoder with one score.
    """
    folder = Path(name)
    if name.startswith("/") and not folder.is_dir():
        raise LorewrightError("no such reranking model folder", where=name, remedy="correct rag.rerank.model")
    quiet()
    try:
        from sentence_transformers import CrossEncoder

        model: Any = CrossEncoder(name, local_files_only=folder.is_dir())
        model.predict([("warm up", "warm up")], show_progress_bar=False)
    except Exception as problem:  # each library below raises its own kinds
        reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise LorewrightError(
            f"cannot load the reranking model: {reason}", where=name, remedy="correct rag.rerank.model, or leave rag.rerank out"
        ) from problem
    if model.num_labels != 1:
        raise LorewrightError(
            f"gives {model.num_labels} scores, not one", where=name, remedy="rag.rerank.model wants a ranking cross-encoder"
        )
    return Reranker(model)
