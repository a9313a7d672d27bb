"""What a recipe's source means: a file, a folder or a glob, and the files below it. Everybody who reads sources asks here."""

from __future__ import annotations

import errno
import glob
from collections.abc import Sequence
from pathlib import Path

from lorewright.errors import LorewrightError

TRIES = 20  # to list a folder while others remove folders below it


def source_files(source: str) -> list[tuple[Path, Path]]:
    """(root, file) of every visible file that a source means, sorted.

    source: an absolute path or glob; a path that exists is itself, whatever signs stand in its name.
    root: the folder given, a single file's folder, or a glob's part before its first sign. Raises LorewrightError when nothing is there.
    """
    problem = trouble(source)
    if problem:
        raise LorewrightError(problem, where=source, remedy="paths are relative to the recipe that names them")
    path = Path(source)
    if path.is_file():
        return [(path.parent, path)]
    if path.is_dir():
        return [(path, file) for file in _visible(path)]
    root = next(parent for parent in path.parents if not glob.has_magic(str(parent)) or parent.exists())
    matches = [Path(match) for match in sorted(glob.glob(source, recursive=True))]
    files = [file for match in matches for file in (_visible(match) if match.is_dir() else [match])]
    return [(root, file) for file in dict.fromkeys(files)]


def all_files(sources: Sequence[str]) -> list[tuple[Path, Path]]:
    """(root, file) of every visible file of several sources, in their order; a file that two of them mean counts once."""
    found: dict[Path, Path] = {}
    for source in sources:
        for root, file in source_files(source):
            found.setdefault(file, root)
    return [(root, file) for file, root in found.items()]


def trouble(source: str) -> str:
    """Why a source cannot be used; empty when it can."""
    try:
        Path(source).resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as problem:
        if isinstance(problem, RuntimeError) or getattr(problem, "errno", 0) == errno.ELOOP:
            return "a symbolic link that leads back to itself"
        if isinstance(problem, ValueError):
            return "not a path"
        if not glob.has_magic(source):
            return "no such file or folder" if problem.errno == errno.ENOENT else str(problem.strerror).lower()
        return "" if next(glob.iglob(source, recursive=True), None) else "matches nothing"
    return ""


def _visible(folder: Path) -> list[Path]:
    for attempt in range(TRIES):
        try:
            files = [file for file in folder.rglob("*") if file.is_file()]
            break
        except FileNotFoundError:  # a folder below it was removed just then
            if attempt == TRIES - 1:
                raise
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts))
