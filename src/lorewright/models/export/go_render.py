"""Renders the few constructs of Go's template language that go_template.py writes, to see what they say.

range over .Messages; if, else and end; variables (`:=`, `=`); .Role, .Content and .System; texts and numbers; and the functions eq, ne,
and, not, len and slice, by https://pkg.go.dev/text/template. Anything else is a fault of ours and raises ValueError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from lorewright.models.rendering import Message

ACTION = re.compile(r'\{\{((?:[^"}]|"(?:\\.|[^"\\])*")*)\}\}')
WORD = re.compile(r'\s*("(?:\\.|[^"\\])*"|[()]|[^\s()]+)')
FUNCTIONS = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "not": lambda a: not a, "and": lambda a, b: b if a else a,
    "len": len, "slice": lambda whole, begin: whole[begin:],
}  # fmt: skip
FIELDS = {"Role": "role", "Content": "content"}


def go_render(template: str, messages: Sequence[Message]) -> str:
    """What the template says of these messages."""
    pieces = ACTION.split(template)  # text, action, text, action, … text
    nodes, rest = _block(iter([(number % 2 == 1, piece) for number, piece in enumerate(pieces)]))
    if rest != "":
        raise ValueError(f"{rest} without its beginning")
    system = "\n\n".join(one["content"] for one in messages if one["role"] == "system")
    given = {"Messages": list(messages), "System": system}
    return _said(nodes, {"$": given, ".": given})


def _block(pieces: Iterator[tuple[bool, str]]) -> tuple[list[Any], str]:
    """(nodes, the word that ended the block: end or else, or "" for the template's own end)."""
    nodes: list[Any] = []
    for action, piece in pieces:
        if not action:
            nodes.append(piece)
            continue
        head, *words = WORD.findall(piece)
        if head in ("end", "else"):
            return nodes, head
        if head in ("if", "range"):
            inner, end = _block(pieces)
            other, end = _block(pieces) if end == "else" else ([], end)
            if end != "end":
                raise ValueError(f"{head} without end")
            nodes.append((head, words, inner, other))
        else:
            nodes.append(("value", [head, *words], [], []))
    return nodes, ""


def _said(nodes: list[Any], scope: dict[str, Any]) -> str:
    out = []
    for node in nodes:
        if isinstance(node, str):
            out.append(node)
            continue
        kind, words, inner, other = node
        if kind == "if":
            out.append(_said(inner if _value(words, scope) else other, scope))
        elif kind == "range":
            out.append(_ranged(words, inner, scope))
        elif len(words) > 2 and words[1] in (":=", "="):
            scope[words[0]] = _value(words[2:], scope)
        else:
            out.append(str(_value(words, scope)))
    return "".join(out)


def _ranged(words: list[str], inner: list[Any], scope: dict[str, Any]) -> str:
    """`$i, $m := LIST`. What is set within lives on, as with `=`; nothing here declares the same name twice."""
    index, item = words[0].rstrip(","), words[1]
    out = []
    whole, outer = _value(words[3:], scope), scope["."]
    for number, one in enumerate(whole):
        scope |= {index: number, item: one, ".": one}
        out.append(_said(inner, scope))
    scope["."] = outer
    return "".join(out)


def _value(words: list[str], scope: dict[str, Any]) -> Any:
    """The value of an expression: a function with its arguments, or one operand."""
    values, words = [], list(words)
    while words:
        word = words.pop(0)
        if word == "(":
            depth, end = 1, 0
            while depth:
                depth += {"(": 1, ")": -1}.get(words[end], 0)
                end += 1
            values.append(_value(words[: end - 1], scope))
            words = words[end:]
        else:
            values.append(FUNCTIONS[word] if word in FUNCTIONS else _operand(word, scope))
    first, *rest = values
    if callable(first):
        return first(*rest)
    if rest:
        raise ValueError(f"{first} takes no arguments")
    return first


def _operand(word: str, scope: dict[str, Any]) -> Any:
    if word.startswith('"'):
        return json.loads(word)
    if word.isdigit():
        return int(word)
    base, _, name = word.partition(".")
    value = scope[base or "."]
    return value[FIELDS.get(name, name)] if name else value
