from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lorewright.rag.watch import changes

from .fakes import wait_until


@pytest.mark.req("F7")
def test_changes_are_seen_once_each_when_they_are_over(tmp_path: Path) -> None:
    lore = tmp_path / "lore"
    lore.mkdir()
    (lore / "a.md").write_text("one")
    seen: list[list[str]] = []

    def watch() -> None:
        for _ in changes([str(lore)], 0.1):
            seen.append(sorted(file.name for file in lore.iterdir()) if lore.exists() else [])
            if len(seen) == 4:
                break

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    wait_until(lambda: len(seen) == 1)
    (lore / "picture.png").write_text("no lore")
    (lore / "a.md").write_text("other")
    for number in range(30):  # a copy that takes longer than a pause
        (lore / f"b{number}.md").write_text("more")
        threading.Event().wait(0.02)
    wait_until(lambda: len(seen) == 2)
    lore.rename(tmp_path / "away")
    wait_until(lambda: len(seen) == 3)
    (tmp_path / "away").rename(lore)
    wait_until(lambda: len(seen) == 4)
    thread.join(5)
    names = ["a.md", *sorted(f"b{number}.md" for number in range(30)), "picture.png"]
    assert seen == [["a.md"], names, [], names]
