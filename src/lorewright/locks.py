"""Who may write: one run a recipe, one ingest a collection; and who has a GPU.

An index that is open is not removed. The locks are the system's and go with the process, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from lorewright.envs import cache_root
from lorewright.errors import BusyError
from lorewright.manifest import digest, read_json, write_json
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
            raise BusyError(f"recipe {paths.recipe} is being run by {holder}", remedy=remedy) from None
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
def alone(folder: Path) -> Iterator[None]:
    """Recipes share a collection, and a converted model: one after the other makes it. folder: that is to be made."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / "lock", "a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def hold_folder(folder: Path) -> int:
    """A handle of a folder that is read from: until it is closed nobody removes the folder.

    Raises BlockingIOError when it is just being removed.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:  # a file system without locks: no folder of it is removed
        pass
    return handle


@contextlib.contextmanager
def unheld(folder: Path) -> Iterator[bool]:
    """Whether nobody holds a folder; if so, nobody can until the block ends."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        yield True
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def card_folder(card: str) -> Path:
    """A GPU's lock and who holds it; all checkouts and runs folders of a user share it. card: its UUID or number."""
    return cache_root() / "gpus" / card


def hold_card(card: str, about: Mapping[str, Any], *, alone: bool) -> IO[str] | None:
    """The open lock of a GPU, held until it is closed here and in every process that inherited it; None when it cannot be had now.

    about: what others are told: `said` in words, `record` of a service. alone: a training has the card for itself; servers share it
    among each other, each with its part of the memory.
    """
    folder = card_folder(card)
    folder.mkdir(parents=True, exist_ok=True)
    lock = open(folder / "lock", "a", encoding="utf-8")
    try:
        fcntl.flock(lock, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    name = "training" if alone else f"server-{digest(str(about['record']))}"
    write_json(folder / f"{name}.json", {"pid": os.getpid()} | dict(about))
    return lock


def card_held(card: str) -> bool:
    """Whether somebody has the lock of a GPU now."""
    file = card_folder(card) / "lock"
    if not file.exists():
        return False
    with open(file) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def card_holders(card: str) -> list[dict[str, Any]]:
    """Who has a GPU, or had it: the servers, then the last training. What has ended since is among them."""
    found = [read_json(file) for file in sorted(card_folder(card).glob("*.json"))]
    return [dict(facts) for facts in found if facts]
