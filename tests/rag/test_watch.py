from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from lorewright.rag import watch
from lorewright.rag.watch import changes


@pytest.mark.req("F7")
def test_changes_are_seen_once_each_when_they_are_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lore = tmp_path / "lore"
    lore.mkdir()
    (lore / "a.md").write_text("one")

    def write(*names: str) -> Callable[[], object]:
        return lambda: [(lore / name).write_text("longer than before") for name in names]

    # What happens during each pause; a copy takes longer than one of them.
    pauses = iter(
        [
            lambda: None,
            write("picture.png"),
            write("a.md", "b0.md"),
            write("b1.md"),
            write("b2.md"),
            lambda: None,
            lambda: lore.rename(tmp_path / "away"),
            lambda: None,
            lambda: (tmp_path / "away").rename(lore),
            lambda: None,
        ]
    )
    monkeypatch.setattr(watch, "time", SimpleNamespace(sleep=lambda pause: next(pauses)()))
    seen = []
    for _ in changes([str(lore)], 0.1):
        seen.append(sorted(file.name for file in lore.iterdir()) if lore.exists() else [])
        if len(seen) == 4:
            break
    names = ["a.md", "b0.md", "b1.md", "b2.md", "picture.png"]
    assert seen == [["a.md"], names, [], names]
    assert next(pauses, None) is None, "each was seen as soon as it was over"
