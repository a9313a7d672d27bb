"""YAML text into plain values that remember the line each one was written on.

`yaml.load` forgets lines and lets duplicate keys overwrite each other, so the node graph is walked here instead.
"""

from __future__ import annotations

import errno
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lorewright.errors import LorewrightError

KeyPath = tuple[str | int, ...]
LARGEST_BYTES = 1_000_000
MOST_VALUES = 20_000


@dataclass(frozen=True)
class Mark:
    """Where a value was written: a file, or the command line's --set."""

    file: Path | None
    text: str


@dataclass
class Source:
    """A file's values, the place of each, and the problems met while reading."""

    values: dict[str, Any]
    marks: dict[KeyPath, Mark]
    problems: list[str] = field(default_factory=list)


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RecipeLoader(_Loader):  # type: ignore[misc,valid-type]
    """YAML 1.1 reads 2e-4 as text; everybody who writes a learning rate means a number."""


RecipeLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:\d[\d_]*)(?:\.[\d_]*)?[eE][-+]?\d+$"), list("-+0123456789")
)


@dataclass(frozen=True)
class Kind:
    """What a file is called in messages, and what to do about one that is not there or empty."""

    name: str
    missing: str
    empty: str


RECIPE = Kind("recipe", "./lorewright validate configs/*.yaml shows what there is", "start from a copy of configs/starter.yaml")


def read_source(path: Path, shown: str, kind: Kind = RECIPE) -> Source:
    """Reads one file.

    path: the file. shown: how the user named it, for messages.
    Raises LorewrightError when the file cannot be read as one YAML mapping at all.
    """
    text = _read_text(path, shown, kind)
    loader = RecipeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise LorewrightError("the file is empty", where=shown, remedy=kind.empty)
        if not isinstance(node, yaml.MappingNode):
            got = "a list" if isinstance(node, yaml.SequenceNode) else "a single value"
            raise LorewrightError(f"a {kind.name} is a mapping of keys, this is {got}", where=f"{shown}:{node.start_mark.line + 1}")
        walker = _Walker(loader, path, shown)
        return Source(walker.value(node, ()), walker.marks, walker.problems)
    except yaml.MarkedYAMLError as problem:
        raise _syntax_error(problem, text, shown) from None
    except yaml.YAMLError as problem:
        raise LorewrightError(f"not readable as YAML: {str(problem).splitlines()[0]}", where=shown) from None
    except RecursionError:
        raise LorewrightError(f"nested too deeply for a {kind.name}", where=shown) from None
    finally:
        loader.dispose()


def read_value(text: str, place: str, into: Source) -> Any:
    """One YAML value as --set gives it; what is wrong in it is added to the source's problems."""
    loader = RecipeLoader(text)
    try:
        node = loader.get_single_node()
        walker = _Walker(loader, None, place)
        value = walker.value(node, ()) if node is not None else None
    except (yaml.YAMLError, RecursionError):
        raise LorewrightError(f"{text!r} is not a YAML value", where=place) from None
    finally:
        loader.dispose()
    into.problems += walker.problems
    return value


def _read_text(path: Path, shown: str, kind: Kind) -> str:
    try:
        facts = path.stat()
        if stat.S_ISDIR(facts.st_mode):
            raise LorewrightError(f"is a folder, not a {kind.name}", where=shown)
        if not stat.S_ISREG(facts.st_mode):
            raise LorewrightError("is not a regular file", where=shown)
        if facts.st_size > LARGEST_BYTES:
            raise LorewrightError(f"is {facts.st_size / 1e6:.0f} MB; a {kind.name} is at most 1 MB", where=shown)
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LorewrightError("no such file", where=shown, remedy=kind.missing) from None
    except UnicodeDecodeError as problem:
        raise LorewrightError(f"is not UTF-8 text (byte {problem.start})", where=shown) from None
    except OSError as problem:
        looped = problem.errno == errno.ELOOP
        what = "is a symbolic link that leads back to itself" if looped else f"cannot be read: {str(problem.strerror).lower()}"
        raise LorewrightError(what, where=shown) from None


def _syntax_error(problem: yaml.MarkedYAMLError, text: str, shown: str) -> LorewrightError:
    line = (problem.problem_mark.line if problem.problem_mark else 0) + 1
    lines = text.splitlines()
    for number in (line, line - 1):
        if 0 < number <= len(lines) and re.match(r" *\t", lines[number - 1]):
            return LorewrightError("the line is indented with a tab; YAML wants spaces", where=f"{shown}:{number}")
    return LorewrightError(f"not readable as YAML: {problem.problem or problem.context}", where=f"{shown}:{line}")


class _Walker:
    """Turns nodes into values; keeps marks and problems as it goes."""

    def __init__(self, loader: Any, path: Path | None, shown: str) -> None:
        self.loader, self.path, self.shown = loader, path, shown
        self.marks: dict[KeyPath, Mark] = {}
        self.problems: list[str] = []
        self.seen = 0

    def value(self, node: yaml.Node, at: KeyPath) -> Any:
        self.seen += 1
        if self.seen > MOST_VALUES:  # aliases of aliases grow without end
            raise LorewrightError(f"holds more than {MOST_VALUES} values once its aliases are expanded", where=self.place(node))
        self.marks[at] = Mark(self.path, self.place(node))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*at, number)) for number, item in enumerate(node.value)]
        return self.scalar(node)

    def mapping(self, node: yaml.MappingNode, at: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged |= self.merge(value_node, at)
                continue
            key = self.scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                self.problems.append(f"{self.place(key_node)}: a key must be text")
                continue
            if key in result:
                first = self.marks[(*at, key)].text.rpartition(":")[2]
                self.problems.append(f"{self.place(key_node)}: {dotted((*at, key))}: given twice; first on line {first}")
            result[key] = self.value(value_node, (*at, key))
            self.marks[(*at, key)] = Mark(self.path, self.place(key_node))
        return merged | result

    def merge(self, node: yaml.Node, at: KeyPath) -> dict[str, Any]:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        values = [self.value(part, at) for part in parts]
        return {key: value for part in reversed(values) if isinstance(part, dict) for key, value in part.items()}

    def scalar(self, node: yaml.Node) -> Any:
        try:
            value = self.loader.construct_object(node)
        except (yaml.YAMLError, ValueError):
            self.problems.append(f"{self.place(node)}: {str(node.value)[:60]!r} cannot be read as a value; put quotes around text")
            return None
        # a date or a set is no JSON value: what was written is what is meant
        return value if value is None or isinstance(value, str | int | float | bool) else str(node.value)

    def place(self, node: yaml.Node) -> str:
        return f"{self.shown}:{node.start_mark.line + 1}" if self.path else self.shown


def dotted(at: KeyPath) -> str:
    """('data', 'sources', 0) -> data.sources[0]"""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at)
    return text.removeprefix(".")
