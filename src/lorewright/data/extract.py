"""Manuscripts to documents: which files there are, what each really is, and who reads it.

Text and Markdown are read here; everything else by a worker process of its own, so that a crash, a hang or an exhausted
memory costs one document a second try with the fallback, and then a line in the report.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lorewright import process
from lorewright.data.extracted import FOLDER, LIST, Entry, Record, reusable
from lorewright.data.readers.kind import TEXT, kind_of
from lorewright.data.readers.refusal import UnreadableError
from lorewright.data.text_file import copy_text, reason
from lorewright.manifest import write_json
from lorewright.recipe import Extract
from lorewright.sources import all_files

SUFFIXES = (".md", ".txt")
PACKAGES = str(Path(__file__).resolve().parents[2])
# A reader needs one thread; native libraries would reserve address space for every core.
MODEST = {"MALLOC_ARENA_MAX": "2", "RAYON_NUM_THREADS": "2", "TOKIO_WORKER_THREADS": "2", "OMP_NUM_THREADS": "2", "PYTHONPATH": PACKAGES}
MOST_WORKERS = 8
READERS = 2  # raised when readers give other text: what older ones made is then not taken over
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True)
class Job:
    """A source file and where its document goes: `out` without suffix, below the folder."""

    file: Path
    name: str
    out: str


@dataclass(frozen=True)
class Work:
    """What all jobs share. log: gets what readers print. earlier: folders whose documents may be taken over."""

    folder: Path
    settings: Extract
    log: Path
    earlier: Sequence[Path] = ()


Bar = Callable[[int, int, str], None]


def extract(sources: Sequence[str], work: Work, bar: Bar = lambda done, total, note: None) -> list[Entry]:
    """Makes a document of every visible file that can be read; one bad file never stops the others.

    sources: files, folders (searched whole) or globs; a file that two of them mean counts once. What the folder's record holds
    already is not done again. Returns the entries in the order of the sources.
    """
    jobs = list(_jobs(sources))
    (work.folder / FOLDER).mkdir(parents=True, exist_ok=True)
    known = reusable([work.folder, *work.earlier])
    record, done, stopped = Record(work.folder), {}, threading.Event()
    pool = ThreadPoolExecutor(min(MOST_WORKERS, len(os.sched_getaffinity(0))))
    try:
        waiting = {pool.submit(_one, job, work, known, stopped): job for job in jobs}
        for number, future in enumerate(as_completed(waiting)):
            job, (entry, new) = waiting[future], future.result()
            done[job] = entry
            if new:
                record.add(entry)
            bar(number + 1, len(jobs), job.name)
    finally:
        stopped.set()  # ends the workers that still run
        pool.shutdown(cancel_futures=True)
        record.close()
        for half in (work.folder / FOLDER).glob(".*.partial"):
            half.unlink()
    found = [done[job] for job in jobs]
    write_json(work.folder / LIST, [{"name": entry.name, "title": entry.title, "file": entry.file} for entry in found if entry.file])
    return found


def _jobs(sources: Sequence[str]) -> Iterator[Job]:
    """Every file once, with a name of its own in the folder."""
    taken: set[str] = set()
    for root, file in all_files(sources):
        stem = re.sub(r"[^\w.-]+", "_", file.stem).strip("._")[:80] or "document"
        name, number = stem, 2
        while name.lower() in taken:
            name, number = f"{stem}-{number}", number + 1
        taken.add(name.lower())
        yield Job(file, _as_text(str(file.relative_to(root))), f"{FOLDER}/{name}")


def _as_text(name: str) -> str:
    """A name that can be written, also of a file whose name is not UTF-8."""
    return name.encode("utf-8", "replace").decode()


def _one(job: Job, work: Work, known: dict[tuple[str, str], tuple[Path, Entry]], stopped: threading.Event) -> tuple[Entry, bool]:
    """The file's entry, and whether it is new to the folder's record."""
    begun = time.monotonic()
    asked = {key: getattr(work.settings, key) for key in ("engine", "device", "min_length")} | {"readers": READERS}
    entry = Entry(job.name, _as_text(str(job.file)), "", asked, "", 0.0)
    try:
        with open(job.file, "rb") as opened:
            entry = replace(entry, sha256=hashlib.file_digest(opened, "sha256").hexdigest())
        before = known.get((entry.sha256, job.file.suffix.lower()))
        if before and before[1].asked == asked:
            return _again(job, work, entry, *before)
        kind = kind_of(job.file)
        made = _text(job, work, entry, kind) if kind in ("text", "markdown") else _by_worker(job, work, entry, kind, stopped)
        made = _long_enough(made, work)
    except UnreadableError as problem:
        made = replace(entry, refused=problem.reason)
    except (OSError, ValueError) as problem:
        if getattr(problem, "errno", None) in FULL:
            raise
        made = replace(entry, refused=reason(problem))
    if made.refused and shutil.disk_usage(work.folder).free < 1 << 20:  # no fault of the document
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(work.folder))
    return replace(made, seconds=round(time.monotonic() - begun, 3)), True


def _again(job: Job, work: Work, entry: Entry, folder: Path, before: Entry) -> tuple[Entry, bool]:
    """Takes over what stands in a record already, from this folder or an earlier one."""
    file = f"{job.out}{Path(before.file).suffix}" if before.file else ""
    taken = replace(before, name=job.name, source=_as_text(str(job.file)), file=file)
    if file and (folder, before.file) != (work.folder, file):
        target = work.folder / file
        target.unlink(missing_ok=True)
        os.link(folder / before.file, target)
    return taken, taken != before or folder != work.folder


def _long_enough(entry: Entry, work: Work) -> Entry:
    least = work.settings.min_length
    if entry.refused or entry.characters >= least:
        return entry
    (work.folder / entry.file).unlink(missing_ok=True)
    return replace(entry, file="", refused=f"holds only {entry.characters} characters; data.extract.min_length is {least}")


def _text(job: Job, work: Work, entry: Entry, kind: str) -> Entry:
    """Text is copied as UTF-8, a piece at a time, however large."""
    file = f"{job.out}.{'md' if kind == 'markdown' else 'txt'}"
    beside = _beside(work.folder / file)
    characters = copy_text(job.file, beside)
    if not characters:
        beside.unlink()
        raise UnreadableError("holds no text")
    beside.replace(work.folder / file)
    return replace(entry, engine="text", file=file, characters=characters, notes=_misnamed(job.file, kind))


def _beside(file: Path) -> Path:
    return file.with_name(f".{file.name}.partial")


def _misnamed(file: Path, kind: str) -> tuple[str, ...]:
    suffix = file.suffix.lower()
    right = TEXT.get(suffix, suffix[1:]) == kind or {suffix, kind} in ({".htm", "html"}, {".xhtml", "html"})
    return () if right else (f"is {'an' if kind in ('epub', 'odt', 'html') else 'a'} {kind} file, whatever its name says",)


# --- documents that a worker process reads ----------------------------------------------------------------------------


def _by_worker(job: Job, work: Work, entry: Entry, kind: str, stopped: threading.Event) -> Entry:
    """Tries the reader, then once the fallback. Raises UnreadableError with the first reader's reason when both fail."""
    file = work.folder / f"{job.out}.md"
    failures: list[str] = []
    for attempt in (0, 1):
        answer = _answer(job, work, kind, attempt, stopped)
        if "refused" in answer:
            raise UnreadableError(answer["refused"])
        if "failed" not in answer:
            _beside(file).replace(file)
            notes = (*_misnamed(job.file, kind), *answer["notes"], *(f"the first reader failed: {failure}" for failure in failures))
            return replace(
                entry, engine=answer["engine"], file=str(file.relative_to(work.folder)), title=answer["title"],
                characters=answer["characters"], removed=answer["removed"], notes=notes,
            )  # fmt: skip
        failures += [answer["failed"]] if answer["failed"] else []
        _beside(file).unlink(missing_ok=True)
    raise UnreadableError(f"could not be read: {'; the fallback: '.join(dict.fromkeys(failures))}")


def _answer(job: Job, work: Work, kind: str, attempt: int, stopped: threading.Event) -> dict[str, Any]:
    """What the worker said, or how it ended without a word."""
    settings = work.settings
    order = {
        "file": str(job.file), "out": str(_beside(work.folder / f"{job.out}.md")), "kind": kind, "engine": settings.engine,
        "device": settings.device, "attempt": attempt, "memory": settings.memory,
    }  # fmt: skip
    code, said = process.ask(
        [sys.executable, "-m", "lorewright.data.readers.worker", json.dumps(order)],
        environment=process.tool_environment(None, MODEST), log=work.log, seconds=settings.timeout, stop=stopped.is_set,
    )  # fmt: skip
    if code == 0:
        return dict(json.loads(said))
    return {"failed": _ended(code, settings)}


def _ended(code: int | None, settings: Extract) -> str:
    if code is None:
        return f"took longer than {settings.timeout} s (data.extract.timeout)"
    if code == -signal.SIGABRT or code == -signal.SIGKILL:
        return f"ended by {signal.Signals(-code).name}, as when {settings.memory} MB are too little (data.extract.memory)"
    return f"crashed with {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}; the log says why"
