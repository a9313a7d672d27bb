"""The lore that a running proxy searches: when a new index stands in the place of the old one, it is taken up between two requests."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lorewright.errors import LorewrightError
from lorewright.rag.embed import TextEmbedder
from lorewright.rag.retrieve import require_same_model
from lorewright.rag.stamp import STAMP
from lorewright.rag.store import Index, open_index

Found = tuple[Path, int]  # an index's folder, and a number that another of the same name does not have
PAUSE = 1.0  # seconds between two looks for a new index
LONGEST = 60.0  # seconds before an index that was refused is tried again, at most
log = logging.getLogger("lorewright.rag")


@dataclass
class Used:
    """An open index and how many requests search it now."""

    index: Index
    users: int = 0


class Lore:
    """index: the one that is searched now; name: of its folder in the collection. refused: why a newer one is not, or empty."""

    def __init__(self, index: Index, place: Path | None = None, seen: Found | None = None) -> None:
        """place: where new ones will stand, None for an index that stays; seen: what stood there when the index was opened."""
        self._place, self._seen = place, seen
        self._now, self._before = Used(index), list[Used]()
        self._lock = threading.Lock()
        self._tried, self._again, self._wait = seen, 0.0, PAUSE  # the newest, when it is tried again, and how long that took
        self.refused = ""

    @property
    def index(self) -> Index:
        return self._now.index

    @property
    def name(self) -> str:
        return self.index.folder.parent.name

    @contextmanager
    def using(self) -> Iterator[Index]:
        """The index to search; it stays open until the block ends. Safe to use from several threads."""
        with self._lock:
            used = self._now
            used.users += 1
        try:
            yield used.index
        finally:
            with self._lock:
                used.users -= 1

    @property
    def newest(self) -> bool:
        """Whether there is nothing left to look at."""
        return not self._place or _found(self._place) in (None, self._seen)

    def look(self, embedder: TextEmbedder) -> None:
        """Takes up a new index if there is one, and closes those that nobody searches any more. One thread at a time."""
        self._close_unused()
        found = _found(self._place) if self._place else None
        if not found or found == self._seen:
            self.refused = ""
            return
        if found != self._tried:
            self._tried, self._again, self._wait = found, 0.0, PAUSE
        if time.monotonic() < self._again:
            return
        try:
            index = self._opened(found[0], embedder)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as problem:  # noqa: BLE001 - whatever is wrong with the new one, the old one goes on
            self._refuse(problem)
            return
        with self._lock:
            self._before.append(self._now)
            self._now = Used(index)
        self.refused, self._seen = "", found
        log.warning("a new index of the lore is taken up: %s passages", index.count)

    def _refuse(self, problem: BaseException) -> None:
        """What is wrong may pass, so it is tried again, later each time."""
        said = problem.what if isinstance(problem, LorewrightError) else str(problem) or type(problem).__name__
        if said != self.refused:
            log.warning("the new index is not taken up, the old one goes on: %s", said)
        self.refused = said
        self._again = time.monotonic() + self._wait
        self._wait = min(2 * self._wait, LONGEST)

    def close(self) -> None:
        for used in (*self._before, self._now):
            used.index.close()

    def _opened(self, folder: Path, embedder: TextEmbedder) -> Index:
        """The index, once it has answered a search. Raises LorewrightError where it does not belong in the place of this one."""
        old = self.index
        if folder.parents[1] != old.folder.parents[1]:
            raise LorewrightError("it is another collection's", where=str(folder), remedy="stop the proxy and start it again")
        index = open_index(folder)
        try:
            require_same_model(index, embedder)
            if _model(index) != _model(old):
                raise LorewrightError(
                    "the files of the embedding model have changed", where=str(folder), remedy="stop the proxy and start it again"
                )
            index.search(np.ones(embedder.dimension, np.float32), 1)
        except BaseException:
            index.close()
            raise
        return index

    def _close_unused(self) -> None:
        with self._lock:
            unused = [used for used in self._before if not used.users]
            self._before = [used for used in self._before if used.users]
        for used in unused:
            used.index.close()


def open_lore(place: Path) -> Lore:
    """place: an index's folder; an ingest sets a link in its path anew. Raises LorewrightError when there is no index."""
    found = _found(place)
    return Lore(open_index(found[0] if found else place), place, found)


async def follow(lore: Lore, embedder: TextEmbedder) -> None:
    """Looks for a new index again and again, until it is cancelled."""
    while True:
        await asyncio.sleep(PAUSE)
        try:
            await asyncio.to_thread(lore.look, embedder)
        except Exception:
            log.exception("no new index can be looked for; the old one goes on")


def _model(index: Index) -> Any:
    """Hash of a local embedding model's files."""
    return index.stamp.get("embedding_files")


def _found(place: Path) -> Found | None:
    """What stands in a place; None while nothing does."""
    try:
        folder = place.resolve()
        return folder, (folder / STAMP).stat().st_ino
    except OSError:
        return None
