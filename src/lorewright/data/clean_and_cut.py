"""Documents through cleaning into passages, a block at a time, whatever their length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lorewright.data.cleaning import Cleaning
from lorewright.data.cutting import Cutting
from lorewright.data.documents import Document
from lorewright.data.removals import Removals
from lorewright.data.split import GAP
from lorewright.data.spool import Sample
from lorewright.recipe import Data


@dataclass(frozen=True)
class Cleaned:
    """titles: of each document, by its name. sample: of the cleaned text, for the style."""

    titles: dict[str, str]
    sample: Sample


def clean_and_cut(
    documents: Sequence[Document], data: Data, cutting: Cutting, removals: Removals, folder: Path, told: Callable[[float, float, str], None]
) -> Cleaned:
    """Every document's passages into the cutting. folder: for what is kept meanwhile. told: bytes done, of how many, which document."""
    cleaned = Cleaned({}, Sample(data.seed))
    _clean(documents, Cleaning(data.clean, removals, folder), cutting, cleaned, told)
    cutting.finish()
    return cleaned


def _clean(
    documents: Sequence[Document], cleaning: Cleaning, cutting: Cutting, cleaned: Cleaned, told: Callable[[float, float, str], None]
) -> None:
    total, done = sum(document.size for document in documents), 0
    with cleaning:
        for document in documents:
            told(done, total, document.name)
            cleaned.titles[document.name], source = document.opened()
            cutting.begin(document.name)
            for texts in cleaning.document(document.name, source):
                joined = GAP.join(texts)
                cleaned.sample.add(joined)
                if texts:
                    cutting.feed(joined)
            cutting.feed(None)
            done += document.size
