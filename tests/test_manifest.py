"""Hashes and records: content decides, writes are whole."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from lorewright.errors import LorewrightError
from lorewright.manifest import Hashes, Manifest, digest, finish, latest_manifest, read_json, write_whole


@pytest.fixture
def hashes(tmp_path: Path) -> Hashes:
    return Hashes.open(tmp_path / "hashes.json")


def tree(folder: Path) -> Path:
    (folder / "sub").mkdir(parents=True)
    for name in ("a.txt", "sub/b.txt", "sub/c.md", ".hidden.txt", "image.png"):
        (folder / name).write_text(name)
    return folder


def test_inputs_are_content_not_place(tmp_path: Path, hashes: Hashes) -> None:
    first, second = tree(tmp_path / "one" / "texts"), tree(tmp_path / "two" / "texts")
    assert hashes.inputs((str(first),), ()) == hashes.inputs((str(second),), ())
    assert len(hashes.inputs((str(first),), ())) == 3, "hidden and foreign files do not count"
    (second / "sub" / "c.md").write_text("changed")
    assert hashes.inputs((str(first),), ()) != hashes.inputs((str(second),), ())


def test_same_names_in_two_sources_do_not_hide_each_other(tmp_path: Path, hashes: Hashes) -> None:
    both = tuple(str(tree(tmp_path / name / "texts")) for name in ("one", "two"))
    before = hashes.inputs((), both)
    (tmp_path / "one" / "texts" / "a.txt").write_text("changed")
    assert hashes.inputs((), both) != before


def test_globs_mean_their_matches(tmp_path: Path, hashes: Hashes) -> None:
    folder = tree(tmp_path / "texts")
    assert list(hashes.inputs((str(folder / "*.txt"), str(folder / "*" / "?.txt")), ())) == ["0/texts/a.txt", "1/texts/sub/b.txt"]


def test_every_match_of_a_glob_counts_even_with_one_name(tmp_path: Path, hashes: Hashes) -> None:
    for book in ("one", "two"):
        (tmp_path / book).mkdir()
        (tmp_path / book / "chapter.txt").write_text(book)
    before = hashes.inputs((str(tmp_path / "*" / "chapter.txt"),), ())
    assert len(before) == 2
    (tmp_path / "one" / "chapter.txt").write_text("changed")
    assert hashes.inputs((str(tmp_path / "*" / "chapter.txt"),), ()) != before


def test_a_folder_whose_name_looks_like_a_glob_is_itself(tmp_path: Path, hashes: Hashes) -> None:
    folder = tree(tmp_path / "lore [draft]?")
    assert len(hashes.inputs((str(folder),), ())) == 3
    with pytest.raises(LorewrightError, match="no such file or folder"):
        hashes.inputs((), (str(tmp_path / "gone"),))
    with pytest.raises(LorewrightError, match="matches nothing"):
        hashes.inputs((str(tmp_path / "*.epub"),), ())


def test_a_file_is_read_once_until_it_changes(tmp_path: Path, hashes: Hashes) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"first")
    before = hashes.file(file)
    hashes.save()
    again = Hashes.open(tmp_path / "hashes.json")
    again.known[str(file)][3] = "remembered"
    assert again.file(file) == "remembered", "size and time are the same: not read again"
    file.write_bytes(b"secnd")
    os.utime(file, ns=(time.time_ns(), time.time_ns() + 10**9))
    assert again.file(file) not in (before, "remembered")


def test_broken_hash_cache_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "hashes.json").write_text("{broken")
    assert Hashes.open(tmp_path / "hashes.json").known == {}


def test_missing_output_is_an_error(tmp_path: Path, hashes: Hashes) -> None:
    (tmp_path / "made.txt").write_text("x")
    assert list(hashes.outputs(tmp_path, ("made.txt",))) == ["made.txt"]
    with pytest.raises(LorewrightError, match="without leaving model"):
        hashes.outputs(tmp_path, ("made.txt", "model"))


def test_finish_writes_the_record_last_and_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("first", "second"):
        partial = tmp_path / "abc.partial"
        partial.mkdir()
        (partial / "out.txt").write_text(text)
        finish(partial, tmp_path / "abc", {"said": text})
    assert (tmp_path / "abc" / "out.txt").read_text() == "second"
    assert read_json(tmp_path / "abc" / "step.json") == {"said": "second"}
    kept = [path for path in tmp_path.iterdir() if "replaced" in path.name]
    assert len(kept) == 1
    assert (kept[0] / "out.txt").read_text() == "first"


def test_every_file_is_on_disk_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    partial = tmp_path / "abc.partial"
    (partial / "sub").mkdir(parents=True)
    (partial / "sub" / "weights.bin").write_bytes(b"1")
    synced: list[str] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(os.readlink(f"/proc/self/fd/{handle}")), real(handle))[1])
    renamed: list[list[str]] = []
    original = Path.rename
    monkeypatch.setattr(Path, "rename", lambda self, target: (renamed.append(list(synced)), original(self, target))[1])
    finish(partial, tmp_path / "abc", {})
    assert str(partial / "sub" / "weights.bin") in renamed[0]
    assert any(".step.json" in name for name in renamed[0])


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "record.json"
    write_whole(file, "old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(file, "new")
    assert file.read_text() == "old"


def test_manifest_grows_with_the_run(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path, {"recipe": "x"}, ["prepare"])
    manifest.step("prepare", action="made", seconds=1.5)
    half = json.loads(manifest.path.read_text())
    assert (half["status"], half["steps"]["prepare"]["seconds"]) == ("running", 1.5)
    manifest.end("finished")
    latest = latest_manifest(tmp_path)
    assert latest and latest["status"] == "finished"
    assert {"machine", "started", "ended", "lorewright"} <= set(latest)


def test_digest_ignores_order_only() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1, "b": [1, 2]}) != digest({"a": 1, "b": [2, 1]})
