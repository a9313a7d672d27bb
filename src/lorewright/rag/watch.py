"""Sees that lore has changed, by looking at sizes and times: works on every file system, and nothing has to be installed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from lorewright.errors import LorewrightError
from lorewright.plan import LORE
from lorewright.sources import all_files

PAUSE = 1.0  # seconds between two looks
Tree = dict[Path, tuple[int, int]]


def changes(sources: Sequence[str], pause: float = PAUSE) -> Iterator[None]:
    """Yields at once, and then each time the files have changed and stood still for a pause. Never ends.

    What changes while the caller works on one change is seen as the next.
    """
    seen = tree(sources)
    yield
    while True:
        time.sleep(pause)
        now = tree(sources)
        if now == seen:
            continue
        while True:  # an editor writes in steps, a copy takes time
            time.sleep(pause)
            before, now = now, tree(sources)
            if now == before:
                break
        seen = now
        yield


def tree(sources: Sequence[str]) -> Tree:
    """Each file with its size and time in nanoseconds; a source that is not there has none."""
    found: Tree = {}
    for source in sources:
        with contextlib.suppress(LorewrightError):
            for _, file in all_files([source]):
                if file.suffix.lower() in LORE:
                    with contextlib.suppress(OSError):  # removed while we looked
                        facts = file.stat()
                        found[file] = (facts.st_size, facts.st_mtime_ns)
    return found
