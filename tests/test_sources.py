"""Sources: files, folders and globs, and what is said when there is nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lorewright.errors import LorewrightError
from lorewright.sources import source_files, trouble


@pytest.fixture
def lore(tmp_path: Path) -> Path:
    for name in ("characters/anna.md", "places/sea/ice.txt", "notes.md", "characters/.draft.md", ".git/x.md", "places/map.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_files_folders_and_globs(lore: Path) -> None:
    anna, ice = lore / "characters/anna.md", lore / "places/sea/ice.txt"
    assert source_files(str(anna)) == [(anna.parent, anna)]
    assert [str(file.relative_to(root)) for root, file in source_files(str(lore))] == [
        "characters/anna.md", "notes.md", "places/map.png", "places/sea/ice.txt",
    ]  # fmt: skip
    assert source_files(f"{lore}/**/*.txt") == [(lore, ice)]
    assert source_files(f"{lore}/char*") == [(lore, anna)]


def test_signs_in_a_real_name_are_no_glob(lore: Path) -> None:
    odd = lore / "draft [2]*?"
    odd.mkdir()
    (odd / "a.md").write_text("x")
    assert source_files(str(odd)) == [(odd, odd / "a.md")]


@pytest.mark.parametrize(("name", "said"), [
    ("gone", "no such file or folder"), ("*.epub", "matches nothing"), ("loop", "a symbolic link that leads back to itself"),
    ("notes.md/below", "not a directory"), ("a\0b", "not a path"),
])  # fmt: skip
def test_what_is_not_there_is_told(lore: Path, name: str, said: str) -> None:
    (lore / "loop").symlink_to(lore / "loop")
    assert trouble(f"{lore}/{name}") == said
    with pytest.raises(LorewrightError, match=said):
        source_files(f"{lore}/{name}")


def test_a_folder_that_goes_while_it_is_listed_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.md").write_text("x")
    real, gone = Path.rglob, ["a folder"]

    def rglob(folder: Path, pattern: str) -> Iterator[Path]:
        yield from real(folder, pattern)
        if gone:
            raise FileNotFoundError(gone.pop())

    monkeypatch.setattr(Path, "rglob", rglob)
    assert source_files(str(tmp_path)) == [(tmp_path, tmp_path / "a.md")]
