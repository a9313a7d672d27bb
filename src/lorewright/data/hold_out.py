"""Keeps validation text apart from training text: whole documents, or the last part of a single one behind a gap."""

from __future__ import annotations

import random

from lorewright.data.passages import Passage


def hold_out(passages: list[Passage], share: float, seed: int) -> tuple[list[Passage], list[Passage]]:
    """(training, validation). share: of the text, 0 to 0.5.

    With several documents, whole ones are drawn until the share is reached. With one, its end is taken and one passage
    before it is left out of both, so that an overlap or a sentence that runs on cannot leak.
    """
    documents = list(dict.fromkeys(passage.document for passage in passages))
    if share == 0 or len(passages) < 3:
        return passages, []
    if len(documents) == 1:
        kept = min(max(1, round(len(passages) * share)), len(passages) - 2)  # the gap and one to train on stay
        return passages[: -kept - 1], passages[-kept:]
    wanted = share * sum(len(passage.text) for passage in passages)
    chosen = _drawn(passages, documents, wanted, seed)
    return [p for p in passages if p.document not in chosen], [p for p in passages if p.document in chosen]


def _drawn(passages: list[Passage], documents: list[str], wanted: float, seed: int) -> set[str]:
    sizes = {name: sum(len(p.text) for p in passages if p.document == name) for name in documents}
    order = random.Random(seed).sample(documents, len(documents))  # noqa: S311 (a draw, not a secret)
    chosen: set[str] = set()
    for name in order[:-1]:  # one document always stays for training
        held = sum(sizes[other] for other in chosen)
        if not chosen or held + sizes[name] / 2 <= wanted:
            chosen.add(name)
    return chosen
