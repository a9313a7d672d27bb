"""The `qa` format: rows of a question and its answer, or questions about passages, to conversations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lorewright.data.formats.messages import messages
from lorewright.data.formats.passages import Passage
from lorewright.data.formats.rows import BadRow, Item, Row
from lorewright.recipe import Qa


def example(question: str, passage: Passage, system: str) -> dict[str, Any]:
    """A question that a model has asked about a passage, and the passage as its answer, word for word."""
    return {"messages": messages(system, question, passage.text), "document": passage.document, "passage": passage.number}


def items(rows: Sequence[Row], qa: Qa, system: str) -> tuple[list[Item], list[BadRow]]:
    """An example a row, and the rows that give none.

    A row's own `system` replaces the recipe's. Rows that share an answer (several questions about one passage) are one
    group, so that no answer is both trained and validated.
    """
    made: list[Item] = []
    bad: list[BadRow] = []
    for row in rows:
        try:
            question, answer = row.needed(qa.question), row.needed(qa.answer)
            thinking = row.text("thinking") if qa.thinking == "rows" else ""
            turns = messages(row.text("system") or system, question, answer, thinking)
        except ValueError as problem:
            bad.append(BadRow(row.place, str(problem)))
            continue
        made.append(Item(answer, row.document, ({"messages": turns, "document": row.document, "row": row.number},)))
    return made, bad
