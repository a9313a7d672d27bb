"""Keeps validation text apart from training text: whole documents, or with too few the end of one behind a gap."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

BOUNDARIES = ("chapter", "scene", "")
MOST = 1.5  # times what is wanted; rather than more, the end of a document is held out


class Place(NamedTuple):
    """Where a passage stands. document: its name. number: the how-manieth of it. size: signs. length: in the chunk's unit.

    begin, end: the signs of the document it covers, what it repeats of the passage before included. opens: `chapter` or `scene`
    where one begins with it, else "".
    """

    document: str
    number: int
    size: int
    length: int = 0
    begin: int = 0
    end: int = 0
    opens: str = ""


def hold_out(places: Sequence[Place], share: float, seed: int, overlap: int = 0) -> tuple[list[Place], list[Place]]:
    """(training, validation). share: of the text, 0 to 0.5. overlap: of the passages, in the chunk's unit.

    Whole documents are drawn until the share is reached. Where they come to less than half of it, each of the others being too large,
    the end of one is taken too, from a chapter's or a scene's beginning on if one stands near; before it at least one passage and at
    least the overlap is left out of both, so that neither a repeated nor a running sentence leaks.
    """
    if share == 0 or len(places) < 3:
        return list(places), []
    sizes: dict[str, int] = {}
    for place in places:
        sizes[place.document] = sizes.get(place.document, 0) + place.size
    wanted = share * sum(sizes.values())
    order = random.Random(seed).sample(list(sizes), len(sizes))  # noqa: S311 (a draw, not a secret)
    chosen = _drawn(order, sizes, wanted)
    held = [place for place in places if place.document in chosen]
    rest = [place for place in places if place.document not in chosen]
    missing = wanted - sum(place.size for place in held)
    if missing * 2 < wanted or (held and len(rest) < 3):
        return rest, held
    training, end = _end_of(rest, [name for name in order if name not in chosen], missing, overlap)
    return training, held + end


def _drawn(order: list[str], sizes: dict[str, int], wanted: float) -> set[str]:
    """Documents whose sizes come near to what is wanted; none when each is too large. One always stays for training."""
    chosen: set[str] = set()
    held = 0
    for name in order:
        fits = held + sizes[name] / 2 <= wanted and held + sizes[name] <= wanted * MOST
        if fits and len(chosen) < len(order) - 1:
            chosen.add(name)
            held += sizes[name]
    return chosen


def _end_of(places: Sequence[Place], order: list[str], wanted: float, overlap: int) -> tuple[list[Place], list[Place]]:
    """(training, validation) with the end of a drawn document held out; of the first that has the passages for it."""
    for name in order:
        own = [place for place in places if place.document == name]
        others = len(own) < len(places)
        first = _first_held(own, wanted, least=0 if others else 1)
        last = _last_trained(own, first, overlap)
        if first < len(own) and (last > 0 or others):
            kept = [place for place in places if place.document != name or place.number < own[last].number]
            return kept, own[first:]
    return list(places), []


def _first_held(own: list[Place], wanted: float, least: int) -> int:
    """The passage from which on about as much is held out as is wanted: a chapter's first if there is one, a scene's, or any."""
    after = [0] * (len(own) + 1)
    for at in reversed(range(len(own))):
        after[at] = after[at + 1] + own[at].size
    for boundary in BOUNDARIES:
        open_at = [at for at in range(least + 1, len(own)) if boundary in ("", own[at].opens)]
        near = [at for at in open_at if wanted / 2 <= after[at] <= wanted * 3 / 2 or not boundary]
        if near:
            return min(near, key=lambda at: abs(after[at] - wanted))
    return len(own)


def _last_trained(own: list[Place], first: int, overlap: int) -> int:
    """How many passages from the start may be trained on when those from first on are held out."""
    last, left_out = first, 0
    while last > 0 and first < len(own) and (last == first or left_out < overlap or own[last - 1].end > own[first].begin):
        last -= 1
        left_out += own[last].length
    return last
