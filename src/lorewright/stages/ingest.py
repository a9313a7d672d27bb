"""Lore files to a searchable index."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lorewright.data.extract import Work
from lorewright.errors import LorewrightError
from lorewright.manifest import Hashes, digest, read_json, write_json
from lorewright.plan import Step
from lorewright.rag.chunk import Cut
from lorewright.rag.embed import load_embedder, precision_here
from lorewright.rag.ingest import Order, earlier_index, make_index
from lorewright.rag.lore_files import READING, lore_files
from lorewright.rag.prune import OWNER
from lorewright.recipe import Rag
from lorewright.stages.run import Facts, Run

INDEX = "index"
EXTRACTED = "extracted"
FACTS = "ingest.json"
VECTORS = ("embedding_model", "embedding_files", "embedding_precision")  # what a vector depends on beside its text


def ingest(step: Step, run: Run) -> Facts:
    """The index goes on from the newest one of the collection that was made in the same way."""
    rag = run.recipe.rag
    assert rag
    done = None if run.fresh else read_json(run.work / FACTS)
    if done:  # only the last rename was missing
        return dict(done)
    write_json(run.work / OWNER, {"recipe": run.recipe.name})
    hashes = Hashes.open(run.paths.hashes)
    kind = _kind(rag, digest(hashes.inputs((), step.files)))
    others = [] if run.fresh else [folder for folder in run.work.parent.iterdir() if folder != run.work]
    previous, anew = earlier_index([folder / INDEX for folder in others], kind)
    if anew:
        run.console.line(f"ingest    all lore is embedded anew: {anew}")
    order, unreadable = _order(rag, kind, run, hashes)
    order = replace(order, check=lambda: _require_unchanged(step, run, hashes))
    with run.console.bar(step.name) as bar:
        made = make_index(run.work / INDEX, order, previous, bar)
    problems = [*unreadable, *made.problems]
    for file, reason in problems:
        run.console.line(f"ingest    {file}: {reason}")
    changed = f"; {made.new} files read, {made.kept} unchanged, {made.gone} gone" if previous else ""
    files = made.kept + made.new
    facts = {name: value for name, value in asdict(made).items() if name != "problems"} | {
        "files": files, "problems": [f"{file.name}: {reason}" for file, reason in problems],
        "said": f"{files} lore files -> {made.chunks} passages in {len(made.categories)} categories{changed}",
    }  # fmt: skip
    write_json(run.work / FACTS, facts)
    for journal in _journals(run):
        journal.unlink()
    return facts


def _require_unchanged(step: Step, run: Run, hashes: Hashes) -> None:
    """An index is found again by what the lore was when the run began: it must not hold what was written meanwhile."""
    if hashes.inputs(step.texts, step.files) != run.inputs:
        raise LorewrightError("the lore has changed while it was read", remedy="run the same command again")


def _journals(run: Run) -> list[Path]:
    """The recipe's vectors that are in no index yet, of any embedding model. Each recipe has its own: another's may be needed still."""
    return list(run.work.parent.glob(f"{run.recipe.name}.*.vectors"))


def _kind(rag: Rag, model: str) -> dict[str, Any]:
    """What two indexes must have in common for the vectors of one to be used in the other. model: hash of a local model's files."""
    return {
        "embedding_model": rag.embedding_model, "embedding_files": model, "embedding_precision": precision_here(rag.embedding_precision),
        "chunk_words": rag.chunk_words, "chunk_overlap": rag.chunk_overlap,
    }  # fmt: skip


def _order(rag: Rag, kind: Mapping[str, Any], run: Run, hashes: Hashes) -> tuple[Order, list[tuple[Path, str]]]:
    """(what is to be made, the files that cannot be opened with the reason)."""
    collection = run.work.parent
    files, unreadable = lore_files(rag.sources, hashes.file)
    journal = collection / f"{run.recipe.name}.{digest([kind[name] for name in VECTORS])}.vectors"
    if run.fresh:
        journal.unlink(missing_ok=True)
    log = run.paths.log("ingest")
    log.parent.mkdir(parents=True, exist_ok=True)
    earlier = [] if run.fresh else [folder / EXTRACTED for folder in collection.iterdir() if folder != run.work]
    work = Work(run.work / EXTRACTED, READING, log, earlier)
    load = functools.cache(lambda: load_embedder(rag.embedding_model, rag.embedding_precision))
    return Order(files, Cut(rag.chunk_words, rag.chunk_overlap), kind, load, journal, work), unreadable
