"""A tiny embedder, a little lore, and the proxy running for real on a free port."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import uvicorn

from lorewright.rag.app import create_app
from lorewright.rag.chunk import Passage
from lorewright.rag.embed import Vectors
from lorewright.rag.proxy import LoreEmbedder
from lorewright.rag.settings import ProxySettings
from lorewright.rag.store import Index, write_index

DIMENSION = 64
LORE = [
    ("characters/elara.md", "Elara Voss", "Augmentations", "Her left arm is cybernetic, of brushed steel."),
    ("characters/elara.md", "Elara Voss", "Voice", "Elara speaks in short sentences and never swears."),
    ("worldbuilding/city.md", "The city", "Harbour", "The harbour of Meridian freezes in winter."),
]


class WordEmbedder:
    """Each word is a direction: texts that share words are near. gate: called before each query, to make it slow."""

    name, dimension = "words", DIMENSION

    def __init__(self, gate: Callable[[], object] = lambda: None) -> None:
        self.gate = gate

    def passages(self, texts: list[str]) -> Vectors:
        return np.stack([self._vector(text) for text in texts])

    def query(self, text: str) -> Vectors:
        self.gate()
        return self._vector(text)

    def _vector(self, text: str) -> Vectors:
        vector = np.full(DIMENSION, 1e-3, dtype=np.float32)
        for word in re.findall(r"\w+", text.lower()):
            vector[int(hashlib.sha256(word.encode()).hexdigest(), 16) % DIMENSION] += 1
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def lore_passages() -> list[Passage]:
    rows = [(f"{title} > {heading}\n\n{text}", source, title, heading) for source, title, heading, text in LORE]
    return [Passage(text, source, source.split("/")[0], title, heading) for text, source, title, heading in rows]


def write_lore(folder: Path) -> Path:
    passages = lore_passages()
    write_index(folder, passages, WordEmbedder().passages([passage.text for passage in passages]), {"embedding_model": "words"})
    return folder


def settings(upstream: str, **changes: object) -> ProxySettings:
    values = {"index": None, "embedding_model": "words", "top_k": 5, "max_distance": 2.0, "host": "127.0.0.1", "port": 0, "recipe": "r"}
    return ProxySettings(**{"upstream": upstream, **values, **changes})  # type: ignore[arg-type]


class QuickServer(uvicorn.Server):
    """Sees at once that it shall end, instead of ten times a second: these tests start and stop some sixty."""

    async def main_loop(self) -> None:
        while not self.should_exit:
            await self.on_tick(0)
            await asyncio.sleep(0.002)


@contextmanager
def running_proxy(
    upstream: str, index: Index | None = None, embedder: LoreEmbedder | None = None, *, lore: bool = True, **changes: object
) -> Iterator[int]:
    """The port of a proxy under uvicorn, in a thread. lore: whether it has an embedder."""
    app = create_app(settings(upstream, **changes), index=index, embedder=embedder or WordEmbedder() if lore else None)
    config = uvicorn.Config(app, port=0, access_log=False, log_level="error", timeout_graceful_shutdown=1, ws="none")
    server = QuickServer(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(5)


def wait_until(true: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)
