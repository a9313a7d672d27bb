"""A safetensors file that is filled tensor by tensor and goes on where it was broken off.

Every length but those of the small states is known beforehand, so every tensor has its place from the start; states come last. The header
is written at the end, into room kept for it: until then no reader takes the file for a safetensors file. A journal says what is on disk.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from lorewright.models.nf4.choose import Item
from lorewright.models.nf4.floats import Bytes
from lorewright.models.nf4.quantise import STATE, shapes_of
from lorewright.models.nf4.source import WIDTHS

ENTRY = 160  # bytes of the header that a tensor takes at most, beside its name


@dataclass
class Shard:
    """journal: a line a finished item. states: theirs. places: each tensor's first byte in the data, its type and shape."""

    file: Path
    journal: Path
    items: list[Item]
    states: dict[str, str | None] = field(default_factory=dict)  # of finished items
    places: dict[str, tuple[int, str, tuple[int, ...]]] = field(default_factory=dict)
    handle: int = -1

    def __post_init__(self) -> None:
        shapes = {name: shape for item in self.items for name, shape in shapes_of(item).items()}
        self.room = -(-sum(len(json.dumps(name)) + len(STATE) + ENTRY for name in shapes) * 2 // 4096) * 4096
        end = 0
        for name, (dtype, shape) in sorted(shapes.items(), key=lambda entry: -WIDTHS[entry[1][0]]):  # wide ones first: none lies askew
            self.places[name] = (end, dtype, shape)
            end += prod(shape) * WIDTHS[dtype]
        self.end = end

    def open(self) -> None:
        """Makes or finds the file, and reads what is done already."""
        self.handle = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o644)
        if self.journal.is_file():
            for line in self.journal.read_text(encoding="utf-8").splitlines():
                try:
                    entry = json.loads(line)
                except ValueError:  # empty, or broken off while it was written
                    continue
                self.states[entry["name"]] = entry["state"]
        os.ftruncate(self.handle, 8 + self.room + self.end)
        os.pwrite(self.handle, bytes(8), 0)

    def place(self, name: str) -> int:
        """A tensor's first byte in the file."""
        return 8 + self.room + self.places[name][0]

    def write(self, name: str, begin: int, data: Bytes) -> None:
        """Bytes of a tensor, from its byte `begin` on."""
        view, place = data.data.cast("B"), self.place(name) + begin
        while view:
            written = os.pwrite(self.handle, view, place)
            view, place = view[written:], place + written

    def done(self, item: Item, state: str | None) -> None:
        """The item is whole: its data first, then the line that says so."""
        os.fdatasync(self.handle)
        with open(self.journal, "a", encoding="utf-8") as journal:
            journal.write("\n" + json.dumps({"name": item.name, "state": state}) + "\n")  # what stands before may be broken off
            journal.flush()
            os.fsync(journal.fileno())
        self.states[item.name] = state

    def close(self) -> None:
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1

    def names(self) -> list[str]:
        """Of all tensors of the finished file."""
        return [*self.places, *(f"{item.name}.{STATE}" for item in self.items if self.states[item.name] is not None)]

    def finish(self) -> None:
        """States and header; the file is whole from here on."""
        header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        for name, (begin, dtype, shape) in self.places.items():
            header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, begin + prod(shape) * WIDTHS[dtype]]}
        end = self.end
        for item in self.items:
            if (state := self.states[item.name]) is not None:
                data = state.encode()
                os.pwrite(self.handle, data, 8 + self.room + end)
                header[f"{item.name}.{STATE}"] = {"dtype": "U8", "shape": [len(data)], "data_offsets": [end, end + len(data)]}
                end += len(data)
        text = json.dumps(header, separators=(",", ":")).encode()
        assert len(text) <= self.room, "the header is longer than its room"
        os.pwrite(self.handle, text.ljust(self.room), 8)
        os.fsync(self.handle)
        os.pwrite(self.handle, self.room.to_bytes(8, "little"), 0)
        os.fsync(self.handle)
        self.close()
