"""What a training set holds, counted line by line: nothing is kept but counts, hashes and a few samples."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorewright.data.measure import measure
from lorewright.errors import LorewrightError

WORDS = measure("words", "")  # a sign of Chinese or Japanese is a word
LEAK_WORDS = 8
"""Paragraphs of fewer words, such as “Yes,” she said., may stand anywhere by chance."""
SHOWN = 12
Example = Mapping[str, Any]


@dataclass
class Side:
    """One file of examples. lengths: words of what is trained. documents: words of each.

    repeated: examples whose trained text stood before. paragraphs: hashes of those of eight words or more.
    """

    examples: int = 0
    words: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    documents: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    paragraphs: set[bytes] = field(default_factory=set)


@dataclass(frozen=True)
class Leaks:
    """Paragraphs of validation that training has word for word. examples: those that hold any. shown: the first of them."""

    paragraphs: int
    examples: int
    shown: tuple[tuple[str, str], ...]


def examples(file: Path) -> Iterator[Example]:
    """The lines of a training set; none where there is no file. Raises LorewrightError for a line that is no JSON mapping."""
    if not file.exists():
        return
    with open(file, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    value = json.loads(line)
                except ValueError as problem:
                    raise LorewrightError(
                        f"is not JSON ({problem})", where=f"{file}:{number}", remedy="run prepare again with --force"
                    ) from None
                if not isinstance(value, dict):
                    raise LorewrightError(
                        "is no mapping of names to values", where=f"{file}:{number}", remedy="run prepare again with --force"
                    )
                yield value


def trained(example: Example) -> str:
    """The text that loss is taken on: the assistant's turns, the labelled segments, the completion, or the whole text."""
    if "messages" in example:
        return "\n\n".join(str(turn.get("content") or "") for turn in example["messages"] if turn.get("role") == "assistant")
    if "segments" in example:
        return "".join(str(part["text"]) for part in example["segments"] if part.get("label"))
    return str(example.get("completion") or example.get("text") or "")


def turns(example: Example) -> list[tuple[str, str]]:
    """(who, what) of an example as it is given, for people to read."""
    if "messages" in example:
        return [(str(turn.get("role", "")), str(turn.get("content") or "")) for turn in example["messages"]]
    if "segments" in example:
        return [("trained" if part.get("label") else "given, not trained", str(part["text"])) for part in example["segments"]]
    named = [(name, str(example[name])) for name in ("prompt", "completion", "text") if example.get(name)]
    return named or [("example", json.dumps(example, ensure_ascii=False))]


def count(file: Path, held: Set[bytes] | None = None) -> Side:
    """Counts one file. held: the paragraphs of the held-out file: then those that this one has too are kept, else all."""
    side, seen = Side(), set[bytes]()
    for example in examples(file):
        text = trained(example)
        length = WORDS(text)
        side.examples += 1
        side.words += length
        side.lengths[length] += 1
        side.documents[str(example.get("document", ""))] += length
        whole = _mark("\0".join(said for _, said in turns(example)))  # questions about one passage share their answer
        side.repeated += whole in seen
        seen.add(whole)
        marks = map(_mark, _paragraphs(text))
        side.paragraphs.update(marks if held is None else (one for one in marks if one in held))
    return side


def leaks(both: Set[bytes], validation: Path) -> Leaks:
    """Paragraphs of eight words or more that stand in both files, blanks apart. both: what `count` kept of the training file."""
    found, holding = 0, 0
    shown: list[tuple[str, str]] = []
    for example in examples(validation) if both else ():
        leaked = [paragraph for paragraph in _paragraphs(trained(example)) if _mark(paragraph) in both]
        found += len(leaked)
        holding += bool(leaked)
        shown += [(str(example.get("document", "")), paragraph) for paragraph in leaked[: SHOWN - len(shown)]]
    return Leaks(found, holding, tuple(shown))


def _paragraphs(text: str) -> Iterator[str]:
    return (paragraph for block in text.split("\n\n") if WORDS(paragraph := " ".join(block.split())) >= LEAK_WORDS)


def _mark(text: str) -> bytes:
    return hashlib.blake2b(" ".join(text.split()).encode(), digest_size=12).digest()
