"""The journal: on disk before it is said to be kept, torn ends mended, a full disk survived."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from pathlib import Path

import hypothesis
import hypothesis.strategies as given
import pytest

from lorewright.data.augment.journal import Journal


def write(file: Path, *keys: str) -> None:
    async def all_at_once() -> None:
        await asyncio.gather(*(journal.append({"key": key}) for key in keys))
        await journal.settle()

    journal = Journal(file)
    asyncio.run(all_at_once())
    journal.close()


@pytest.mark.parametrize(
    ("end", "kept"),
    [
        (b'{"key": "c", "val', 2),
        (b'{"key": "c"}', 3),
        (b"\0\0\0\0", 2),
        (b'{"key": "c"}\n', 3),
        (b'{"other": 1}\n', 2),
        (b"\xff\xfe", 2),
        (b'{"key": "' + b"long" * 50, 2),
    ],
)
def test_a_torn_end_costs_at_most_its_own_line(tmp_path: Path, end: bytes, kept: int) -> None:
    file = tmp_path / "j.jsonl"
    write(file, "a", "b")
    with open(file, "ab") as sink:
        sink.write(end)
    write(file, "d")
    journal = Journal(file)
    journal.close()
    assert [record["key"] for record in journal.records] == ["a", "b", "c", "d"][:2] + ["c"] * (kept - 2) + ["d"]
    assert file.read_bytes().endswith(b'\n{"key": "d"}\n')
    assert journal.broken == (end == b'{"other": 1}\n')


def test_append_returns_after_the_fsync_and_one_fsync_serves_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        real(handle)
        synced.append(os.fstat(handle).st_size)

    monkeypatch.setattr(os, "fsync", fsync)

    async def check() -> None:
        await journal.append({"key": "first"})
        assert synced == [(tmp_path / "j").stat().st_size]
        await asyncio.gather(*(journal.append({"key": str(n)}) for n in range(200)))
        assert synced[-1] == (tmp_path / "j").stat().st_size and len(synced) < 10

    journal = Journal(tmp_path / "j")
    asyncio.run(check())
    journal.close()


def test_a_full_disk_leaves_whole_lines_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "j.jsonl"
    write(file, "a")
    real = os.write

    def half(handle: int, data: memoryview) -> int:
        if len(data) < 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data[:15])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space left"):
        write(file, "a key that is long enough")
    monkeypatch.undo()
    assert file.read_text() == '{"key": "a"}\n'
    write(file, "b")
    assert file.read_text() == '{"key": "a"}\n{"key": "b"}\n'


@hypothesis.given(cut=given.integers(0, 4000))
@hypothesis.settings(max_examples=60, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_cut_anywhere_every_whole_line_before_stays(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "j.jsonl"
    file.unlink(missing_ok=True)
    write(file, *(f"ключ {number} ☂ {'x' * number}" for number in range(40)))
    whole = file.read_bytes()
    file.write_bytes(whole[:cut])
    write(file, "after")
    journal = Journal(file)
    journal.close()
    before = whole[:cut].count(b"\n")
    complete = whole[cut : cut + 1] == b"\n"  # only the end of the line was lost
    assert (len(journal.records), journal.broken) == (before + complete + 1, 0)
    assert file.read_bytes().startswith(whole[: cut + 1] if complete else whole[: whole[:cut].rfind(b"\n") + 1])


def test_what_was_handed_over_is_on_disk_when_the_run_is_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: time.sleep(0.05))  # a slow disk: most lines wait for the first

    async def broken_off() -> None:
        tasks = [asyncio.create_task(journal.append({"key": "0"}))]
        await asyncio.sleep(0.02)
        tasks += [asyncio.create_task(journal.append({"key": str(number)})) for number in range(1, 50)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await journal.settle()

    journal = Journal(tmp_path / "j")
    asyncio.run(broken_off())
    journal.close()
    assert (tmp_path / "j").read_text().count("\n") == 50
    assert len(journal.records) == 50, "what is on disk is counted, also where nobody waits for it any more"
