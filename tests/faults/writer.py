"""A writer who adds, changes, takes back, moves and removes lore, as a seed says."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

WORDS = [
    "harbour",
    "lantern",
    "tide",
    "gull",
    "rope",
    "winter",
    "salt",
    "quay",
    "mast",
    "bell",
    "storm",
    "lamp",
    "keeper",
    "stair",
    "iron",
    "glass",
    "fog",
    "boat",
    "oar",
    "net",
    "wharf",
    "moon",
    "letter",
    "door",
    "cellar",
    "bread",
    "candle",
    "street",
    "market",
    "child",
    "widow",
    "captain",
    "clock",
    "tower",
    "bridge",
    "river",
    "mill",
    "field",
    "horse",
    "cart",
    "rain",
]
STABLE = "# Quillon\n\nQuillon tends the lamp above the harbour. Nobody else has its key, and nobody wants it."


class Writer:
    """lore: the folder. All but the `stable` part of it changes."""

    def __init__(self, lore: Path, draw: random.Random) -> None:
        self.lore, self.draw, self.made = lore, draw, 0
        self.before: list[tuple[Path, str]] = []
        (lore / "stable").mkdir(parents=True)
        (lore / "stable" / "quillon.md").write_text(STABLE)
        for _ in range(25):
            self.add()

    def files(self) -> list[Path]:
        return sorted(file for file in self.lore.rglob("*") if file.is_file() and file.parent.name != "stable")

    def write(self) -> None:
        """A few changes."""
        for _ in range(self.draw.randrange(1, 5)):
            self.draw.choice([self.add, self.add, self.change, self.change, self.take_back, self.move, self.remove, self.remove_folder])()

    def add(self) -> None:
        self.made += 1
        folder = self.lore / self.draw.choice(["people", "places", "chapters/one", "chapters/two"])
        folder.mkdir(parents=True, exist_ok=True)
        if self.draw.random() < 0.1:  # read by extraction, in a process of its own
            (folder / f"{self.made}.html").write_text(f"<html><body><h1>Page {self.made}</h1><p>{self._text()}</p></body></html>")
        else:
            (folder / f"{self.made}.md").write_text(f"# Note {self.made}\n\n{self._text()}\n\n## More\n\n{self._text()}")

    def change(self) -> None:
        notes = [file for file in self.files() if file.suffix == ".md"]
        if notes:
            file = self.draw.choice(notes)
            self.before.append((file, file.read_text()))
            file.write_text(f"{self.before[-1][1]}\n\n{self._text()}"[-4000:])

    def take_back(self) -> None:
        if self.before:
            file, text = self.before.pop()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def move(self) -> None:
        if self.files():
            file = self.draw.choice(self.files())
            file.rename(file.with_name(f"moved-{file.name}"[-40:]))

    def remove(self) -> None:
        if len(self.files()) > 15:
            self.draw.choice(self.files()).unlink()

    def remove_folder(self) -> None:
        if self.draw.random() < 0.2:
            shutil.rmtree(self.lore / "chapters" / "two", ignore_errors=True)

    def _text(self) -> str:
        return " ".join(self._sentence() for _ in range(self.draw.randrange(3, 9)))

    def _sentence(self) -> str:
        return " ".join(self.draw.choices(WORDS, k=self.draw.randrange(6, 14))).capitalize() + "."
