"""Who may write: one run a recipe, one ingest a collection; and who has a GPU.

The locks are the system's and go with the process, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from lorewright.envs import cache_root
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


def card_file(card: str) -> Path:
    """The lock of a GPU; all checkouts and runs folders of a user share it. card: its UUID or number."""
    return cache_root() / "gpus" / f"{card}.lock"


def try_card(card: str, about: Mapping[str, Any]) -> IO[str] | dict[str, Any]:
    """The open lock of a GPU, held until it is closed here and in every process that inherited it; or who has it.

    about: what others are told: `said` in words, `record` of a service.
    """
    file = card_file(card)
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = open(file, "a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        told = lock.read()
        lock.close()
        return _holder(told)
    lock.truncate(0)
    lock.write(json.dumps({"pid": os.getpid(), "since": time.strftime("%H:%M:%S")} | dict(about)))
    lock.flush()
    return lock


def last_holder(card: str) -> dict[str, Any]:
    """Who has a GPU, or had it last; empty when nobody ever did."""
    file = card_file(card)
    return _holder(file.read_text(encoding="utf-8")) if file.exists() else {}


def _holder(told: str) -> dict[str, Any]:
    try:
        return dict(json.loads(told))
    except ValueError:  # it is being written
        return {"said": "another process"}
