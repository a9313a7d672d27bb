"""What happened: content hashes, the record beside every artifact, and one manifest a run. All writes are atomic."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from lorewright import __version__
from lorewright.errors import LorewrightError
from lorewright.plan import LORE, Step
from lorewright.sources import source_files

RECORD = "step.json"


def write_whole(path: Path, text: str, errors: str = "strict") -> None:
    """Writes beside, fsyncs and renames: a reader sees the old file or the whole new one. errors: as open takes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with open(beside, "w", encoding="utf-8", errors=errors) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """A file to write in parts: it appears whole, fsynced and under its name, when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def link_to(link: Path, folder: Path) -> None:
    """`latest/<stage>` points to the newest folder; replaced in one step."""
    link.parent.mkdir(parents=True, exist_ok=True)
    target = os.path.relpath(folder, link.parent)
    if link.is_symlink() and os.readlink(link) == target:
        return
    beside = link.with_name(f".{link.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(link)


def write_json(path: Path, value: Any) -> None:
    # A file's name need not be UTF-8: its odd bytes are written as JSON writes them, and JSON reads them again.
    text = json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True, default=str) + "\n"
    write_whole(path, text, errors="backslashreplace")


def read_json(path: Path) -> Any:
    """A record that was written whole; None where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def finish(partial: Path, folder: Path, record: Mapping[str, Any]) -> None:
    """Makes a finished step visible: everything to disk, the record last, then the rename that says done."""
    if not partial.is_dir():
        raise LorewrightError("the folder this stage worked in is gone", where=str(partial), remedy="run again")
    for path in partial.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
    write_json(partial / RECORD, record)
    if folder.exists():  # forced: what stood here stays, under another name
        folder.rename(folder.with_suffix(f".replaced-{_stamp(time.time())}"))
    partial.rename(folder)
    sync_folder(folder.parent)


def digest(value: Any) -> str:
    """A short name for any plain value: 16 hex digits of the SHA-256 of its canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def fingerprint(step: Step, environment: str, inputs: Mapping[str, str], needs: Mapping[str, str]) -> str:
    """What names a step's folder. environment: its key. inputs: content hashes. needs: what the steps it needs have produced."""
    parts: dict[str, Any] = {
        "stage": step.name, "version": step.version, "part": step.part, "environment": environment, "inputs": inputs, "needs": needs,
    }  # fmt: skip
    return digest(parts)


@dataclass
class Hashes:
    """SHA-256 of files, remembered by path, size and time so that a 16 GB model is read once."""

    store: Path
    known: dict[str, list[Any]] = field(default_factory=dict)
    changed: bool = False

    @classmethod
    def open(cls, store: Path) -> Hashes:
        try:
            known = read_json(store)
        except ValueError:  # a cache: when it cannot be read it is made again
            known = None
        return cls(store, known if isinstance(known, dict) else {})

    def file(self, path: Path) -> str:
        facts = path.stat()
        stamp = [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]
        entry = self.known.get(str(path))
        if entry and entry[:3] == stamp:
            return str(entry[3])
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        self.known[str(path)] = [*stamp, found]
        self.changed = True
        return found

    def save(self) -> None:
        if self.changed:
            write_json(self.store, {path: entry for path, entry in self.known.items() if os.path.exists(path)})
            self.changed = False

    def inputs(self, lore: tuple[str, ...], files: tuple[str, ...]) -> dict[str, str]:
        """Content hash of everything a step reads, by position and name below its root (a moved tree is the same tree).

        lore: sources of which the files that may hold lore count. files: files, or folders of which every visible file counts.
        Raises LorewrightError for what is not there.
        """
        found = {}
        for number, source in enumerate((*lore, *files)):
            for root, file in source_files(source):
                if number >= len(lore) or file.suffix.lower() in LORE:
                    with contextlib.suppress(FileNotFoundError):  # removed since it was listed
                        found[f"{number}/{root.name}/{file.relative_to(root)}"] = self.file(file)
        return found

    def outputs(self, folder: Path, names: tuple[str, ...]) -> dict[str, str]:
        """Hashes of what a step promised to leave; a promise not kept is an error."""
        found: dict[str, str] = {}
        for name in names:
            if not (folder / name).exists():
                raise LorewrightError(f"the stage ended without leaving {name}", where=str(folder))
            found |= {str(file.relative_to(folder)): self.file(file) for _, file in source_files(str(folder / name))}
        return found


def other_choice(step: Step, record: Mapping[str, Any] | None) -> bool:
    """Whether a step's result is of another state of the adapter than the recipe names: no older one of the same."""
    return record is not None and record["part"].get("checkpoint") != step.part.get("checkpoint")


def told(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's manifest keeps of a step's record, so that it can be told when the folder is gone or replaced."""
    return {key: record[key] for key in ("digest", "outputs", "inputs", "environment", "version") if key in record}


class Manifest:
    """One run's record, rewritten whole after every step; what `status`, `diff` and `reproduce` read. file: the recipe's."""

    def __init__(self, folder: Path, recipe: Mapping[str, Any], plan: list[str], file: str = "") -> None:
        started = time.time()
        name = f"{_stamp(started)}-{os.getpid()}"
        self.path = folder / f"{name}.json"
        self.record: dict[str, Any] = {
            "run": name, "lorewright": __version__, "recipe": recipe, "file": file, "plan": plan,
            "started": _utc(started), "status": "running",
            "machine": {"host": platform.node(), "system": platform.platform(), "cpus": os.cpu_count()},
            "python": platform.python_version(),
            "steps": {},
        }  # fmt: skip
        self._write()

    def step(self, name: str, **facts: Any) -> None:
        self.record["steps"].setdefault(name, {}).update(facts)
        self._write()

    def note(self, **facts: Any) -> None:
        """Facts of the whole run."""
        self.record |= facts
        self._write()

    def end(self, status: str, **facts: Any) -> None:
        self.record |= {"status": status, "ended": _utc(time.time())} | facts
        self._write()

    def _write(self) -> None:
        write_json(self.path, self.record)


def note_benchmark(manifest: Path, name: str, stages: tuple[str, ...], facts: Mapping[str, Any]) -> None:
    """Keeps a benchmark's figures with the run that it measured, and which results of those stages they are of."""
    record = dict(read_json(manifest))
    of = {stage: record["steps"].get(stage, {}).get("fingerprint") for stage in stages}
    figures = {key: value for key, value in facts.items() if key == "suite" or isinstance(value, int | float)}
    write_json(manifest, record | {"benchmarks": record.get("benchmarks", {}) | {name: {"of": of, "figures": figures}}})


def latest_manifest(folder: Path) -> dict[str, Any] | None:
    """The newest run's record, or None."""
    files = sorted(folder.glob("*.json"))
    return dict(read_json(files[-1])) if files else None


def _stamp(seconds: float) -> str:
    """For names: they sort by time, also those of one second."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{int(seconds * 1000) % 1000:03}"


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
