"""The ledger on the report's page: what Axolotl makes of the set."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROWS = {
    "samples": "samples", "truncated": "cut at the end", "dropped": "dropped as too long", "left_out": "left out for another reason",
    "tokens": "tokens",
    "trained_tokens": "tokens trained", "masked_tokens": "tokens masked", "longest": "longest sample, in tokens",
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """rows: (what, training, validation). lost: (line, document, what happened, tokens). opening: as it stands before an answer."""

    rows: tuple[tuple[str, int, int], ...]
    lengths: Counter[int]
    lost: tuple[tuple[int, str, str, int], ...]
    opening: str

    @classmethod
    def of(cls, folder: Path) -> Seen:
        values: Mapping[str, Any] = json.loads((folder / "ledger.json").read_text(encoding="utf-8"))
        training, validation = values["training"], values["validation"]
        lengths = Counter[int]()
        for side in (training, validation):
            lengths.update({int(length): count for length, count in side["lengths"].items()})
        lost = tuple(
            (line, f"{document}{where}", fate.replace("_", " "), tokens)
            for side, where in ((training, ""), (validation, ", held out"))
            for line, document, fate, tokens in side["lost"]
        )
        return cls(tuple((said, training[key], validation[key]) for key, said in ROWS.items()), lengths, lost, values["opening"])
