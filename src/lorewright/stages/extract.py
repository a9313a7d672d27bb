"""Manuscripts of any kind to documents of plain Markdown, each read on its own."""

from __future__ import annotations

from pathlib import Path

from lorewright.data.extract import Work
from lorewright.data.extract import extract as extract_documents
from lorewright.data.extracted import Entry
from lorewright.data.readers.layout import installed
from lorewright.errors import LorewrightError
from lorewright.plan import Step
from lorewright.stages.run import Facts, Run

SHOWN = 10


def extract(step: Step, run: Run) -> Facts:
    """A document for every file that can be read, and a reason for every other."""
    data = run.recipe.data
    assert data
    if data.extract.engine == "docling" and not installed():
        raise LorewrightError(
            "data.extract.engine is docling, which is not installed in the core environment",
            where=str(run.recipe.file),
            remedy="set it to light, or install docling there: uv pip install --python $(./lorewright envs path core)/bin/python docling",
        )
    log = run.paths.log(step.name)
    work = Work(run.work, data.extract, log, () if run.fresh else _earlier(run.work))
    with run.console.bar(step.name) as bar:
        entries = extract_documents(data.sources, work, bar)
    _log(log, entries)
    refused = [entry for entry in entries if entry.refused]
    for entry in refused[:SHOWN]:
        run.console.line(f"extract   left out {entry.source}: {entry.refused}")
    if len(refused) > SHOWN:
        run.console.line(f"extract   and {len(refused) - SHOWN} more; {log} and step.json list them all")
    if not entries:
        raise LorewrightError("holds no files", where=", ".join(data.sources), remedy="put manuscripts there, or correct data.sources")
    if len(refused) == len(entries):
        kinds = "data.sources wants text, Markdown, EPUB, PDF, Word, HTML or JSON files"
        raise LorewrightError("no manuscript could be read", where=", ".join(data.sources), remedy=kinds)
    return _facts(entries, refused)


def _facts(entries: list[Entry], refused: list[Entry]) -> Facts:
    characters = sum(entry.characters for entry in entries if entry.file)
    removed: dict[str, int] = {}
    for entry in entries:
        for what, count in (entry.removed or {}).items():
            removed[what] = removed.get(what, 0) + count
    documents = len(entries) - len(refused)
    left = f"; {len(refused)} file{'s' if len(refused) > 1 else ''} left out" if refused else ""
    return {
        "documents": documents, "characters": characters, "removed": removed,
        "left_out": [f"{entry.name}: {entry.refused}" for entry in refused],
        "notes": [f"{entry.name}: {note}" for entry in entries for note in entry.notes],
        "said": f"{documents} document{'s' if documents > 1 else ''}, {characters:,} characters{left}",
    }  # fmt: skip


def _earlier(work: Path) -> list[Path]:
    """The folders of other runs of this stage, finished or cut off, the newest first."""
    found = [folder for folder in work.parent.iterdir() if folder.is_dir() and folder != work]
    return sorted(found, key=lambda folder: folder.stat().st_mtime, reverse=True)


def _log(log: Path, entries: list[Entry]) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a", encoding="utf-8") as file:
        for entry in entries:
            said = entry.refused or f"{entry.characters} characters by {entry.engine} in {entry.seconds} s"
            file.write("".join(f"{entry.source}: {text}\n" for text in (said, *entry.notes)))
