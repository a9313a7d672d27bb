"""How long the examples of a training set are: as the ledger has counted them, or estimated from the sources where none has been made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, comb
from pathlib import Path

from lorewright.errors import LorewrightError
from lorewright.manifest import read_json
from lorewright.plan import Paths, make_plan
from lorewright.recipe import Data, Recipe
from lorewright.sources import all_files
from lorewright.training.forecast.memory import Batch

MULTIPLE = 64  # Axolotl fills rows up to a multiple of this
# English prose; other languages have more tokens a sign, and nothing but the ledger knows them.
SIGNS, WORDS = 4.2, 1.33  # signs a token, tokens a word
PROMPT = 100  # tokens of instruction, system prompt and template around a passage
# Text in a file by its ending, as a share of its bytes; text files are text.
TEXT = {".pdf": 0.1, ".epub": 1.0, ".docx": 0.8, ".odt": 0.8, ".doc": 0.3}
ROWS = (".jsonl", ".csv", ".json")
POINTS = 8


@dataclass(frozen=True)
class Lengths:
    """training, held_out: how many examples have so many tokens. measured: by the ledger. said: where they come from."""

    training: Mapping[int, int]
    held_out: Mapping[int, int]
    measured: bool
    said: str

    @property
    def samples(self) -> int:
        return sum(self.training.values())

    @property
    def tokens(self) -> int:
        return sum(length * count for length, count in self.training.items())


def lengths_of(recipe: Recipe, paths: Paths) -> Lengths:
    """The newest ledger's lengths, or an estimate. Raises LorewrightError for sources that are not there."""
    made = read_json(paths.latest(make_plan(recipe).step("ledger")) / "ledger.json")
    if made:
        sides = [{int(length): count for length, count in made[side]["lengths"].items()} for side in ("training", "validation")]
        return Lengths(sides[0], sides[1], True, "lengths as the ledger counted them")
    assert recipe.data
    return _estimated(recipe.data, int((recipe.axolotl or {}).get("sequence_len") or 512))


def limited(lengths: Mapping[int, int], limit: int) -> dict[int, int]:
    """No example longer than the trainer takes: its end is cut (Axolotl may drop it instead, which takes less)."""
    found: dict[int, int] = {}
    for length, count in lengths.items():
        kept = min(length, limit)
        found[kept] = found.get(kept, 0) + count
    return found


def fullest(lengths: Mapping[int, int], rows: int, limit: int, *, packed: bool = False) -> Batch:
    """The fullest batch there can be: the longest examples together."""
    if packed or not lengths:
        return Batch(rows, limit)
    return Batch(rows, min(_filled(max(lengths)), _filled(limit)), padded=rows > 1 and len(lengths) > 1)


def usual(lengths: Mapping[int, int], rows: int) -> Batch:
    """A batch as it is on the average: rows drawn at random, all filled up to the longest of them.

    The mean of the longest of m rows among n is the sum over the sorted lengths of length × C(rank - 1, m - 1) / C(n, m).
    """
    count = sum(lengths.values())
    if not count:
        return Batch(rows, 0)
    drawn = min(rows, count)
    mean, below = 0.0, 0
    for length in sorted(lengths):
        above = below + lengths[length]
        mean += _filled(length) * (comb(above, drawn) - comb(below, drawn)) / comb(count, drawn)
        below = above
    return Batch(rows, round(mean), padded=rows > 1 and len(lengths) > 1)


def _filled(length: int) -> int:
    return ceil(length / MULTIPLE) * MULTIPLE


def _estimated(data: Data, limit: int) -> Lengths:
    drawn = data.format == "charts" and not data.sources
    number, spread = (data.charts.count, [limit]) if drawn else _from_sources(data)
    number = min(number, data.max_samples or number)
    held_out = round(number * data.validation)
    said = "estimated from the sources: the set has not been made yet"
    return Lengths(_spread(max(1, number - held_out), spread), _spread(held_out, spread), False, said)


def _from_sources(data: Data) -> tuple[int, list[int]]:
    """(examples, their lengths from short to long)."""
    files = [file for _, file in all_files(data.sources)]
    if not data.manuscripts and any(file.suffix.lower() in ROWS for file in files):
        return _rows(files)
    signs = sum(file.stat().st_size * TEXT.get(file.suffix.lower(), 1.0) for file in files)
    unit = {"tokens": 1.0, "words": WORDS, "characters": 1 / SIGNS}[data.chunk.unit]
    least, most, overlap = (unit * size for size in (data.chunk.min, data.chunk.max, data.chunk.overlap))
    passages = max(1, round(signs / SIGNS / max(1.0, (least + most) / 2 - overlap)))
    asked = data.augment.per_passage if data.augment and data.asks and data.format == "qa" else 1
    return passages * asked, [round(least + (most - least) * part / (POINTS - 1)) + PROMPT for part in range(POINTS)]


def _rows(files: list[Path]) -> tuple[int, list[int]]:
    """Examples that stand in rows: as many as lines, each as long as the average."""
    number, signs = 0, 0
    for file in (file for file in files if file.suffix.lower() in ROWS):
        with open(file, "rb") as lines:
            number += sum(1 for line in lines if line.strip()) if file.suffix.lower() != ".json" else 1
        signs += file.stat().st_size
    if not number:
        raise LorewrightError("the sources hold no rows", where=str(files[0].parent) if files else "")
    mean = signs / SIGNS / number
    return number, [round(mean * part) + PROMPT // 2 for part in (0.5, 0.8, 1.0, 1.2, 1.5)]


def _spread(number: int, lengths: list[int]) -> dict[int, int]:
    """So many examples, evenly over the lengths."""
    found: dict[int, int] = {}
    for place, length in enumerate(sorted(lengths)):
        share = number * (place + 1) // len(lengths) - number * place // len(lengths)
        if share:
            found[length] = found.get(length, 0) + share
    return found
