"""report.html and README.md of a training set: what is in it, what was taken out, and whether it can be trusted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any

from lorewright.data.pages import render, render_text
from lorewright.data.pages.svg import histogram
from lorewright.data.report.card import card_values
from lorewright.data.report.counted import Example, Side, count, examples, leaks, turns
from lorewright.data.report.removed import refused, removals
from lorewright.data.report.seen import Seen
from lorewright.manifest import read_json, write_whole
from lorewright.progress import said_seconds

SAMPLES, SAMPLE_LENGTH = 5, 4000
CLASSES = 24
DOCUMENTS = 40
NICE = (1, 2, 5)
FACTS = ("name", "base_model", "format", "licence", "tokens", "epochs", "tokens_per_second", "estimated_seconds")


def report(folder: Path, facts: Mapping[str, Any], extracted: Path | None = None, ledger: Path | None = None) -> None:
    """Writes report.html and README.md into the folder of a training set; with a ledger only report.html, beside it.

    folder: holds training.jsonl; validation.jsonl, style.json and removals.jsonl are read where they are.
    extracted: the folder with extracted.jsonl, when it is another. ledger: the folder with ledger.json and samples.jsonl.
    facts, all optional: name (of the set), base_model, format, licence, rights (pairs of source and note), tokens (trained in
    one epoch), epochs, tokens_per_second (of training). Raises LorewrightError when training.jsonl has a line that is no example.
    """
    validation = count(folder / "validation.jsonl")
    training = count(folder / "training.jsonl", validation.paragraphs)
    found = leaks(training.paragraphs, folder / "validation.jsonl")
    style = read_json(folder / "style.json") or {}
    name = str(facts.get("name") or folder.resolve().name)
    taken = removals(folder)
    seen = Seen.of(ledger) if ledger else None
    page = render(
        "report.html", title=f"{name}: the training set", name=name, training=training, validation=validation, found=found,
        lengths=_lengths(seen.lengths if seen else training.lengths + validation.lengths), documents=_documents(training, validation),
        left=_left(training, validation),
        removals=taken, refused=refused(extracted or folder), ledger=seen,
        samples=_samples(ledger / "samples.jsonl", training.examples) if ledger else [],
        examples=[] if ledger else [_sample(number, example) for number, example in _spread(folder / "training.jsonl", training.examples)],
        prompt=str(style.get("system_prompt") or ""), picture=(folder / "style.html").exists(),
        facts=dict.fromkeys(FACTS) | dict(facts), time=_time(facts),
    )  # fmt: skip
    write_whole((ledger or folder) / "report.html", page)
    if ledger:
        return
    write_whole(folder / "README.md", render_text("card.md", **card_values(name, training, validation, found, taken, style, facts)))


def _lengths(lengths: Counter[int]) -> Any:
    """The histogram of words an example trains; None without examples."""
    if not lengths:
        return None
    width = _nice(max(1, max(lengths)) / CLASSES)
    classes = Counter(length // width for length in lengths.elements())
    columns = max(classes) + 1
    middle = sorted(lengths.elements())[lengths.total() // 2]
    starts = [width * number for number in range(columns + 1)]
    every = ceil(columns / 10)
    return histogram([classes[n] for n in range(columns)], starts, "examples by length", middle, f"half are shorter than {middle:,}", every)


def _nice(width: float) -> int:
    """The next 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for one in NICE:
            if one * power >= width:
                return one * power
        power *= 10


def _documents(training: Side, validation: Side) -> list[dict[str, Any]]:
    """Each document with its words and share, the largest first."""
    both = training.documents + validation.documents
    total = max(1, both.total())
    return [
        {"name": name or "unnamed", "words": words, "share": words / total, "held": _held(name, training, validation)}
        for name, words in both.most_common(DOCUMENTS)
    ]


def _held(name: str, training: Side, validation: Side) -> str:
    if name not in validation.documents:
        return ""
    return "held out in part" if training.documents[name] else "held out"


def _left(training: Side, validation: Side) -> int:
    return max(0, len(training.documents + validation.documents) - DOCUMENTS)


def _spread(file: Path, total: int) -> Iterable[tuple[int, Example]]:
    """Five examples evenly over the file, with their line's number."""
    chosen = {total * place // SAMPLES for place in range(SAMPLES)} if total else set()
    return islice(((number + 1, example) for number, example in enumerate(examples(file)) if number in chosen), SAMPLES)


def _sample(number: int, example: Example) -> dict[str, Any]:
    shown = [(who, what if len(what) <= SAMPLE_LENGTH else f"{what[:SAMPLE_LENGTH]} …") for who, what in turns(example)]
    return {"number": number, "document": str(example.get("document", "")), "turns": shown}


def _samples(file: Path, total: int) -> list[dict[str, Any]]:
    """The same five as Axolotl sees them: (trained or not, text) spans, a long one cut in its middle."""
    wanted = {total * place // SAMPLES + 1 for place in range(SAMPLES)} if total else set()
    found: dict[int, dict[str, Any]] = {}
    with open(file, encoding="utf-8") as lines:
        for sample in map(json.loads, lines):
            if sample["split"] == "training" and sample["line"] in wanted:
                found.setdefault(sample["line"], sample)
    return [sample | {"spans": [(trained, _shortened(text)) for trained, text in sample["spans"]]} for sample in found.values()]


def _shortened(text: str) -> str:
    half = SAMPLE_LENGTH // 2
    return text if len(text) <= SAMPLE_LENGTH else f"{text[:half]} … {text[-half:]}"


def _time(facts: Mapping[str, Any]) -> str:
    """The estimated training time in words; "" where the facts do not give it."""
    tokens, speed = facts.get("tokens"), facts.get("tokens_per_second")
    seconds = facts.get("estimated_seconds") or (tokens * facts.get("epochs", 1) / speed if tokens and speed else 0)
    return said_seconds(seconds) if seconds else ""
