"""Documents to examples of their passages: clean, split, hold out, ask where the recipe says so, format; as a stream of any length."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lorewright.data.clean_and_cut import clean_and_cut
from lorewright.data.cutting import Cuts, Cutting
from lorewright.data.documents import documents
from lorewright.data.formats import PROSE, qa
from lorewright.data.formats.passages import Passage
from lorewright.data.hold_out import Place, hold_out
from lorewright.data.removals import Removals
from lorewright.data.spool import drawn
from lorewright.data.style import Style, analyse, system_prompt
from lorewright.errors import LorewrightError
from lorewright.manifest import writing
from lorewright.recipe import Data
from lorewright.stages.ask import questions_about
from lorewright.stages.run import Facts, Run

Made = Callable[[Passage], list[dict[str, Any]]]
Sides = dict[str, list[Place]]


def prepare_passages(run: Run, data: Data) -> tuple[Style, str, Facts]:
    """training.jsonl, validation.jsonl and removals.jsonl in the stage's folder; the measured style and its system prompt."""
    found = documents(run.done["extract"])
    cuts = Cuts(data.chunk, run.recipe.base_model, headings=not data.clean.headings)
    sizes = sum(document.size for document in found)
    with writing(run.work / "removals.jsonl") as listed, Cutting(cuts, run.work, sizes, len(found)) as cutting:
        removals = Removals(listed)
        with run.console.bar("prepare") as bar:
            cleaned = clean_and_cut(found, data, cutting, removals, run.work, bar)
        if not cutting.places:
            remedy = "set what it took under data.clean to false"
            raise LorewrightError("cleaning left no text to train on", where=str(run.work), remedy=remedy)
        style = analyse(cleaned.sample.texts())
        system = system_prompt(style) if data.system_prompt == "auto" else data.system_prompt
        sides = _sides(cutting.places, data)
        made = _examples_of(run, data, _passages(cutting, sides, cleaned.titles), system)
        counts = _write(run.work, sides, _passages(cutting, sides, cleaned.titles), made)
    if removals.counts:
        run.console.line(f"prepare   taken out: {removals.said()}; removals.jsonl lists them")
    facts = {
        "documents": len(found), "passages": len(cutting.places), "examples": len(cutting.places) * _each(data),
        "removed": dict(removals.counts), **counts,
        "validation_documents": sorted({place.document for place in sides["validation"]}),
    }  # fmt: skip
    return style, system, facts | {"said": _said(facts, sides)}


def _each(data: Data) -> int:
    """Examples of a passage."""
    return data.augment.per_passage if data.asks and data.augment else 1


def _sides(places: list[Place], data: Data) -> Sides:
    """What is trained on and what is held out, of each as much as data.max_samples leaves."""
    training, validation = hold_out(places, data.validation, data.seed, data.chunk.overlap)
    most = None if data.max_samples is None else max(2, data.max_samples // _each(data))
    if most is None or len(training) + len(validation) <= most:
        return {"training": training, "validation": validation}
    held = min(len(validation), max(1, round(most * len(validation) / len(places)))) if validation else 0
    return {
        "training": drawn(training, most - held, data.seed),
        "validation": drawn(validation, held, data.seed),
    }


def _passages(cutting: Cutting, sides: Sides, titles: dict[str, str]) -> Iterator[tuple[str, Passage]]:
    """(side, passage) of all that are on one, in the order of the documents."""
    side_of = {(place.document, place.number): name for name, places in sides.items() for place in places}
    for place, chapter, text in cutting.read():
        side = side_of.get((place.document, place.number))
        if side:
            yield side, Passage(place.document, titles[place.document] or chapter, place.number, text)


def _examples_of(run: Run, data: Data, passages: Iterator[tuple[str, Passage]], system: str) -> Made:
    """How a passage becomes examples: one by the format, or one for every question that a model asks about it."""
    if data.format in PROSE:
        return lambda passage: [PROSE[data.format](passage, system, data.seed)]
    asked = questions_about([passage for _, passage in passages], run, data)
    return lambda passage: [qa.example(question, passage, system) for question in asked.get((passage.document, passage.number), ())]


def _write(folder: Path, sides: Sides, passages: Iterator[tuple[str, Passage]], made: Made) -> dict[str, int]:
    """Each side's examples to its file, in the order of the documents; how many there are."""
    counts = dict.fromkeys(sides, 0)
    with contextlib.ExitStack() as files:
        targets = {name: files.enter_context(writing(folder / f"{name}.jsonl")) for name in sides}
        for side, passage in passages:
            for example in made(passage):
                targets[side].write(json.dumps(example, ensure_ascii=False) + "\n")
                counts[side] += 1
    return counts


def _said(facts: Facts, sides: Sides) -> str:
    held = list(dict.fromkeys(place.document for place in sides["validation"]))
    names = f" ({', '.join(held)})" if 0 < len(held) <= 2 else ""
    manuscripts = f"{facts['documents']} manuscript{'s' * (facts['documents'] != 1)}"
    return f"{manuscripts} -> {facts['training']} examples to train on, {facts['validation']} held out{names}"
