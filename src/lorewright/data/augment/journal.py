"""What was answered, one line each, on disk before the next thing happens. A killed writer loses at most the line it was writing."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError

Record = dict[str, Any]


@contextlib.contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """One writer a folder; the lock goes with the process, however it ends. Raises LorewrightError naming the one that holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            raise LorewrightError(f"is being written by {holder}", where=str(folder), remedy="wait for it, or end it") from None
        lock.truncate(0)
        lock.write(f"pid {os.getpid()}")
        lock.flush()
        yield


class Journal:
    """A file of JSON lines that only grows. `append` returns when its line is on disk.

    Lines that come while the disk is busy are written together: one fsync then serves many.
    Open it under `sole_writer`, append in one event loop, `settle` before that loop ends, then close.
    records: what it holds. broken: how many lines could not be read; they stay where they are.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.records, self.broken, self._size = mended(file, "key")
        self._handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        os.lseek(self._handle, self._size, os.SEEK_SET)
        self._waiting: list[tuple[Record, bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    def close(self) -> None:
        os.close(self._handle)

    async def settle(self) -> None:
        """What was handed over is on disk, also when the run is broken off."""
        if self._writer:
            await asyncio.gather(self._writer, return_exceptions=True)

    async def append(self, record: Record) -> None:
        """Raises OSError when the disk refuses; the file then ends with the last whole line."""
        line = (json.dumps(record, ensure_ascii=False) + "\n").encode()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, line, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())
        await done

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._write, b"".join(line for _, line, _ in batch))
            except OSError as problem:
                for _, _, done in batch:
                    if not done.done():
                        done.set_exception(OSError(problem.errno, problem.strerror, str(self.file)))
            else:
                self.records += (record for record, _, _ in batch)  # also those whose asker was cancelled meanwhile
                for _, _, done in batch:
                    if not done.done():
                        done.set_result(None)

    def _write(self, lines: bytes) -> None:
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(self._handle, rest) :]
            os.fsync(self._handle)
        except OSError:
            os.ftruncate(self._handle, self._size)  # no half line stays, and what was not said to be kept is not kept
            os.lseek(self._handle, self._size, os.SEEK_SET)
            raise
        self._size += len(lines)


def mended(file: Path, needed: str) -> tuple[list[Record], int, int]:
    """(whole records, lines that cannot be read, size): a torn last line is cut off, one that only lacks its end gets it.

    needed: the text that makes a line a record.
    """
    raw = file.read_bytes() if file.exists() else b""
    whole, _, torn = raw.rpartition(b"\n")
    kept = len(raw) - len(torn)
    if torn and _record(torn, needed) is not None:
        whole, kept = raw, len(raw) + 1
        with open(file, "ab") as sink:
            sink.write(b"\n")
    elif torn:
        os.truncate(file, kept)
    found = [_record(line, needed) for line in whole.split(b"\n") if line.strip(b"\0 \r")]
    records = [record for record in found if record is not None]
    return records, len(found) - len(records), kept


def _record(line: bytes, needed: str) -> Record | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and isinstance(value.get(needed), str) else None
