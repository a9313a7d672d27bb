"""The word lists of words.txt."""

from __future__ import annotations

from pathlib import Path


def _read(path: Path) -> dict[str, list[str]]:
    """Name of a list → its words; `-` stands for no word."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        if not line.startswith(" "):
            name = line.rstrip(":")
            found[name] = []
        else:
            found[name] += [word.strip() for word in line.split(",") if word.strip()]
    return {name: ["" if word == "-" else word for word in words] for name, words in found.items()}


WORDS = _read(Path(__file__).with_name("words.txt"))
