"""Who may write: one run a recipe, one ingest a collection. The locks are the system's and go with the process, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from lorewright.errors import LorewrightError
from lorewright.plan import Paths


@contextlib.contextmanager
def locked(paths: Paths) -> Iterator[None]:
    """One writer a recipe. Raises LorewrightError naming the one that holds it."""
    paths.home.mkdir(parents=True, exist_ok=True)
    with open(paths.lock, "a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            end = f"kill -INT {holder.split()[1]}" if holder.startswith("pid") else "its pid"
            remedy = f"wait for it, or end it with Ctrl-C where it runs, or {end}"
            raise LorewrightError(f"recipe {paths.recipe} is being run by {holder}", remedy=remedy) from None
        lock.truncate(0)
        lock.write(f"pid {os.getpid()} since {time.strftime('%H:%M:%S')}\n")
        lock.flush()
        yield


def is_locked(paths: Paths) -> bool:
    """Whether a run of the recipe is going on."""
    if not paths.lock.exists():
        return False
    with open(paths.lock) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextlib.contextmanager
def collection_alone(folder: Path) -> Iterator[None]:
    """Recipes share a collection: one after the other makes its index. folder: of the index that is to be made."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / "lock", "a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
