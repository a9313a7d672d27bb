"""How an index was made: the file that comes last, so that a folder with it holds a whole index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.rag.chunk import CHUNKER_VERSION

STAMP = "stamp.json"
NEEDED = {"embedding_model", "dimension", "chunks", "vectors"}
AGAIN = "ingest the lore again: ./lorewright ingest RECIPE --force"


def read_stamp(folder: Path) -> dict[str, Any]:
    """How an index was made. Raises LorewrightError where there is none that this version can open."""
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LorewrightError("no lore index there", where=str(folder), remedy="ingest the lore first") from None
    except (OSError, ValueError) as problem:
        raise LorewrightError(f"its stamp cannot be read: {problem}", where=str(folder / STAMP), remedy=AGAIN) from None
    if not isinstance(stamp, dict) or not stamp.keys() >= NEEDED:
        raise LorewrightError("this is not the stamp of a lore index", where=str(folder / STAMP), remedy=AGAIN)
    if stamp.get("chunker") != CHUNKER_VERSION:
        raise LorewrightError("the lore index was made by another version of lorewright", where=str(folder), remedy=AGAIN)
    return stamp
