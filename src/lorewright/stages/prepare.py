"""Manuscripts to a training set: extract, clean, split, style, format, in this order."""

from __future__ import annotations

from dataclasses import asdict

from lorewright.data.clean import clean
from lorewright.data.extract import extract
from lorewright.data.hold_out import hold_out
from lorewright.data.measure import measure
from lorewright.data.passages import Passage, example, jsonl
from lorewright.data.split import split
from lorewright.data.style import analyse, system_prompt
from lorewright.errors import LorewrightError
from lorewright.manifest import write_json, write_whole
from lorewright.plan import Step
from lorewright.stages.run import Facts, Run

ADVISED_EXAMPLES = 100
SHOWN = 10


def prepare(step: Step, run: Run) -> Facts:
    """Manuscripts to training.jsonl and validation.jsonl."""

    data = run.recipe.data
    assert data
    documents, refused = extract(data.sources)
    for bad in refused[:SHOWN]:
        run.console.line(f"prepare   left out {bad.file}: {bad.reason}")
    if len(refused) > SHOWN:
        run.console.line(f"prepare   and {len(refused) - SHOWN} more; step.json lists them all")
    if not documents:
        raise LorewrightError("no manuscript could be read", where=", ".join(data.sources), remedy="data.sources wants .txt or .md files")
    length = measure(data.chunk.unit, run.recipe.base_model)
    passages: list[Passage] = []
    with run.console.bar("prepare") as bar:
        for number, document in enumerate(documents):
            bar(number, len(documents), document.name)
            texts = split(clean(document.text), data.chunk, length)
            passages += [Passage(document.name, document.title, place, text) for place, text in enumerate(texts)]
    style = analyse([clean(document.text) for document in documents])
    system = system_prompt(style) if data.system_prompt == "auto" else data.system_prompt
    training, validation = hold_out(passages, data.validation, data.seed)
    for name, chosen in (("training", training), ("validation", validation)):
        write_whole(run.work / f"{name}.jsonl", jsonl([example(passage, system, data.seed) for passage in chosen]))
    write_json(run.work / "style.json", asdict(style) | {"system_prompt": system})
    if len(training) < ADVISED_EXAMPLES:
        run.console.line(
            f"prepare   {len(training)} examples: a voice wants {ADVISED_EXAMPLES} or more; add manuscripts or lower data.chunk.max"
        )
    return {
        "documents": len(documents), "left_out": [f"{bad.file.name}: {bad.reason}" for bad in refused], "passages": len(passages),
        "training": len(training), "validation": len(validation), "validation_documents": sorted({p.document for p in validation}),
        "said": _said(len(documents), training, validation, len(refused)),
    }  # fmt: skip


def _said(documents: int, training: list[Passage], validation: list[Passage], refused: int) -> str:
    held = list(dict.fromkeys(passage.document for passage in validation))
    names = f" ({', '.join(held)})" if 0 < len(held) <= 2 else ""
    left = f"; {refused} file{'s' if refused > 1 else ''} left out" if refused else ""
    return f"{documents} manuscripts -> {len(training)} examples to train on, {len(validation)} held out{names}{left}"
