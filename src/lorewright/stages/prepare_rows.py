"""Rows that were written as examples (questions and answers, pairs, sections, charts) to a training set."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from lorewright.data.formats import pairs, qa, sections
from lorewright.data.formats.passages import jsonl
from lorewright.data.formats.rows import BadRow, Item, Row, hold_out_items, read_rows
from lorewright.data.formats.template import load_template
from lorewright.data.measure import measure
from lorewright.data.style import Style, analyse, system_prompt
from lorewright.errors import LorewrightError
from lorewright.manifest import write_whole
from lorewright.recipe import Data
from lorewright.stages.charts import chart_rows
from lorewright.stages.run import Facts, Run

SHOWN = 10


def prepare_rows(run: Run, data: Data) -> tuple[Style, str, Facts]:
    """Rows to training.jsonl and validation.jsonl; rows that give no example are listed in rejected.jsonl with the reason."""
    style, system, items, bad = MADE[data.format](run, data)
    for one in bad[:SHOWN]:
        run.console.line(f"prepare   left out {one.place}: {one.reason}")
    if len(bad) > SHOWN:
        run.console.line(f"prepare   and {len(bad) - SHOWN} more; rejected.jsonl lists them all")
    write_whole(run.work / "rejected.jsonl", jsonl([asdict(one) for one in bad]))
    if not items:
        where = ", ".join(data.sources) or data.format
        raise LorewrightError("no row gave an example", where=where, remedy=f"format {data.format} wants {WANTED[data.format]}")
    sides = dict(zip(("training", "validation"), hold_out_items(drawn_items(items, data), data.validation, data.seed), strict=True))
    for name, chosen in sides.items():
        write_whole(run.work / f"{name}.jsonl", jsonl([example for item in chosen for example in item.examples]))
    counts = {name: sum(len(item.examples) for item in chosen) for name, chosen in sides.items()}
    left = f"; {len(bad)} left out" if bad else ""
    said = f"{len(items)} rows -> {counts['training']} examples to train on, {counts['validation']} held out{left}"
    examples = sum(len(item.examples) for item in items)
    return style, system, {"rows": len(items), "examples": examples, "left_out": len(bad), **counts, "said": said}


def drawn_items(items: list[Item], data: Data) -> list[Item]:
    """Whole rows, drawn by the seed, whose examples are together at most data.max_samples; at least one."""
    if data.max_samples is None or sum(len(item.examples) for item in items) <= data.max_samples:
        return items
    room, chosen = data.max_samples, set()
    for at in random.Random(data.seed).sample(range(len(items)), len(items)):  # noqa: S311 (a draw, not a secret)
        if len(items[at].examples) <= room:
            room -= len(items[at].examples)
            chosen.add(at)
    if not chosen:
        chosen.add(min(range(len(items)), key=lambda at: len(items[at].examples)))
    return [item for at, item in enumerate(items) if at in chosen]


Made = tuple[Style, str, list[Item], list[BadRow]]


def _from_qa(run: Run, data: Data) -> Made:
    """The answers are the writer's own prose: their style writes the system prompt."""
    rows, bad = read_rows(data.sources)
    style = analyse(_texts(rows, data.qa.answer))
    system = system_prompt(style) if data.system_prompt == "auto" else data.system_prompt
    items, more = qa.items(rows, data.qa, system)
    return style, system, items, bad + more


def _from_pairs(run: Run, data: Data) -> Made:
    return _paired(run, data, *read_rows(data.sources))


def _from_charts(run: Run, data: Data) -> Made:
    return _paired(run, data, *chart_rows(run, data))


def _paired(run: Run, data: Data, rows: list[Row], bad: list[BadRow]) -> Made:
    """Prompts that were written as such need no system message of ours: `auto` gives none."""
    system = "" if data.system_prompt == "auto" else data.system_prompt
    template = load_template(run.recipe.base_model, run.recipe.chat_template)
    items, more = pairs.items(rows, data.pairs, system, template)
    return analyse(_texts(rows, data.pairs.completion)), system, items, bad + more


def _from_sections(run: Run, data: Data) -> Made:
    found, bad = sections.read_sections(data.sources, data.sections.field)
    style = analyse([section.text for section in found])
    as_text = data.sections.examples == "text"
    system = "" if as_text else system_prompt(style) if data.system_prompt == "auto" else data.system_prompt
    items = sections.items(found, data.chunk, measure(data.chunk.unit, run.recipe.base_model), as_text=as_text, system=system)
    return style, system, items, bad


def _texts(rows: Sequence[Row], name: str) -> list[str]:
    values = [row.values.get(name) for row in rows]
    return [value for value in values if isinstance(value, str)]


MADE: dict[str, Callable[[Run, Data], Made]] = {
    "qa": _from_qa, "pairs": _from_pairs, "sections": _from_sections, "charts": _from_charts,
}  # fmt: skip
WANTED: dict[str, Any] = {
    "qa": "rows with data.qa.question and data.qa.answer",
    "pairs": "rows with data.pairs.prompt and data.pairs.completion",
    "sections": "Markdown, or JSON with data.sections.field",
    "charts": "answers to its questions",
}
