"""The `pairs` format: rows of a prompt and its completion, long completions in pieces.

Axolotl's `input_output` reads a list of texts and masks those labelled false. So an example is: the prompt as the chat
template shows it (masked), in later pieces the end of the piece before (masked), the piece (trained), and after the last
piece the sign that closes the turn (trained). Over all pieces each token of a completion is trained once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lorewright.data.formats.chunk import SEAM, pieces
from lorewright.data.formats.rows import BadRow, Item, Row
from lorewright.data.formats.template import Template
from lorewright.recipe import Pairs


def items(rows: Sequence[Row], pairs: Pairs, system: str, template: Template) -> tuple[list[Item], list[BadRow]]:
    """Examples of each row, and the rows that give none.

    system: the system message, '' for none; a row's own `system` replaces it. Rows with the same prompt are one group.
    """
    made: list[Item] = []
    bad: list[BadRow] = []
    for row in rows:
        try:
            prompt, completion = row.needed(pairs.prompt), row.needed(pairs.completion)
            found = segments(prompt, completion, row.text("system") or system, pairs, template)
        except ValueError as problem:
            bad.append(BadRow(row.place, str(problem)))
            continue
        about = {"document": row.document, "row": row.number}
        examples = tuple({"segments": one, **about, "piece": number, "pieces": len(found)} for number, one in enumerate(found, 1))
        made.append(Item(prompt, row.document, examples))
    return made, bad


def segments(prompt: str, completion: str, system: str, pairs: Pairs, template: Template) -> list[list[dict[str, Any]]]:
    """`input_output` segments of each piece. Raises ValueError when the prompt leaves no room for the completion."""
    around = template.around(system, prompt)
    before, completion = _joined_as_read(around.before, completion, template)
    taken, end = len(template.ids(before)), len(template.ids(around.end))
    try:
        found = list(pieces(completion, pairs.max_tokens - taken, end, pairs.context_keep, template))
    except ValueError as problem:
        raise ValueError(f"the prompt takes {taken} of {pairs.max_tokens} tokens and {problem}") from None
    return [
        _labelled((False, before), (False, piece.context), (True, piece.trained), (True, around.end if piece.last else ""))
        for piece in found
    ]


def _joined_as_read(before: str, completion: str, template: Template) -> tuple[str, str]:
    """Blanks between prompt and completion stand where the tokens are those of the text read as one: mostly with the word after them."""
    bare = before.rstrip(" ")
    if bare == before:
        return before, completion
    ways = [(bare, before[len(bare) :] + completion), (before, completion), (bare, completion)]
    start = completion[:SEAM]
    whole = template.ids(before + start)
    cut = len(completion) - len(start)
    return next((way for way in ways if template.ids(way[0]) + template.ids(way[1][: len(way[1]) - cut]) == whole), ways[0])


def _labelled(*parts: tuple[bool, str]) -> list[dict[str, Any]]:
    return [{"label": label, "text": text} for label, text in parts if text]
