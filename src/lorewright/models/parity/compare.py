"""Two observations of the same questions, compared: prompts token by token, and what each side expects to come next.

An observation is a file of JSON lines: id, prompt_ids, and positions with the ids and natural logarithms of probability of the
likeliest next tokens. Of both distributions only these are known, so the Kullback-Leibler divergence is that over the reference's
tokens and one bucket for all others: never more than the true one (Cover and Thomas, Elements of Information Theory, 2.7 and 2.8:
lumping outcomes together cannot raise it).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, isfinite, log, sqrt
from pathlib import Path

TIE = 0.1  # nats: bf16 knows logits between 8 and 16 in steps of 0.06, and what lies closer is a matter of rounding
MOST = 20.0  # nats: what a position that is no number counts
NEAR = 1e-12


@dataclass(frozen=True)
class Bound:
    """kl: the mean divergence that is allowed, in nats. top1: the share of positions at which the likeliest token must be the same."""

    kl: float
    top1: float


@dataclass(frozen=True)
class Next:
    """What one side expects at a position: token id -> natural logarithm of its probability, the likeliest first."""

    logs: dict[int, float]

    @property
    def first(self) -> int:
        return next(iter(self.logs))


@dataclass(frozen=True)
class Seen:
    prompt: tuple[int, ...]
    positions: tuple[Next, ...]


@dataclass(frozen=True)
class Difference:
    """A prompt that the other side has read otherwise: its question, the first token that differs, and the lengths of both."""

    id: str
    at: int
    lengths: tuple[int, int]


@dataclass(frozen=True)
class Share:
    """How much of what the adapter changes is there: 1 for all, 0 for the base model, 2 for twice as much.

    error: the standard error of `there`. like: how alike the two changes are, as a correlation. moved: the mean divergence of the
    base model from the adapter's, in nats; left: of the base model from the other side.
    """

    there: float
    error: float
    like: float
    moved: float
    left: float


@dataclass(frozen=True)
class Verdict:
    """positions: how many were compared. kl, worst: mean and highest divergence in nats; None where no prompt was read alike.

    top1: the share of positions with the same likeliest token. prompts: questions; differ: those whose prompts were read otherwise.
    faults: positions at which the other side gave no numbers.
    """

    prompts: int
    positions: int
    kl: float | None
    worst: float | None
    top1: float | None
    differ: tuple[Difference, ...] = ()
    faults: int = 0
    share: Share | None = None
    bound: Bound = Bound(0.0, 1.0)

    @property
    def near(self) -> bool:
        """Whether the distributions are within the bound."""
        return self.kl is not None and self.top1 is not None and self.kl <= self.bound.kl and self.top1 >= self.bound.top1


def compare(reference: Path, other: Path, bound: Bound, trained: Path | None = None, base: Path | None = None) -> Verdict:
    """Compares the other side with the reference. trained, base: observations with and without the adapter, which tell its share."""
    first, second = read(reference), read(other)
    if first.keys() != second.keys():
        raise ValueError(f"{other} does not answer the questions of {reference}")
    differ = tuple(_differences(first, second))
    alike = [name for name in first if name not in {difference.id for difference in differ}]
    pairs = [pair for name in alike for pair in zip(first[name].positions, second[name].positions, strict=True)]
    kls = [divergence(one, two) for one, two in pairs]
    share = _share(alike, read(trained), second, read(base)) if trained and base and pairs else None
    same = sum(_agrees(one, two) for one, two in pairs)
    return Verdict(
        len(first), len(pairs), sum(kls) / len(kls) if kls else None, max(kls, default=None), same / len(pairs) if pairs else None,
        differ, sum(not _numbers(two) for _, two in pairs), share, bound,
    )  # fmt: skip


def read(file: Path) -> dict[str, Seen]:
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        positions = tuple(Next(dict(zip(place["ids"], place["logprobs"], strict=True))) for place in row["positions"])
        found[row["id"]] = Seen(tuple(row["prompt_ids"]), positions)
    return found


def _differences(first: dict[str, Seen], second: dict[str, Seen]) -> Iterator[Difference]:
    for name, seen in first.items():
        one, two = seen.prompt, second[name].prompt
        if one != two:
            shorter = min(len(one), len(two))
            at = next((at for at in range(shorter) if one[at] != two[at]), shorter)
            yield Difference(name, at, (len(one), len(two)))


def divergence(one: Next, two: Next) -> float:
    """KL(one || two) in nats, over the tokens that both know, those that only `one` knows, and all others.

    What `two` gives to tokens that it does not name is not known: no more each than its last, no more together than it leaves. Within
    that it is taken as near as it can be, so that the result is never too high. It is MOST where one side has no numbers.
    """
    if not _numbers(one) or not _numbers(two):
        return MOST
    missing = [token for token in one.logs if token not in two.logs]
    pairs = [(exp(value), exp(two.logs[token])) for token, value in one.logs.items() if token in two.logs]
    unnamed, tail = sum(exp(one.logs[token]) for token in missing), max(0.0, 1.0 - sum(map(exp, one.logs.values())))
    rest = max(0.0, 1.0 - sum(q for _, q in pairs))
    most = min(len(missing) * exp(min(two.logs.values())), 1.0 - sum(map(exp, two.logs.values())))
    given = max(0.0, min(most, rest * unnamed / max(unnamed + tail, NEAR)))
    total = sum(p * log(p / max(q, NEAR)) for p, q in (*pairs, (unnamed, given), (tail, rest - given)) if p > NEAR)
    return min(MOST, max(0.0, total))


def _numbers(side: Next) -> bool:
    return all(isfinite(value) for value in side.logs.values())


def _agrees(one: Next, two: Next) -> bool:
    """Whether the likeliest token is the same; where two are as good as equal, either is."""
    return _numbers(one) and _numbers(two) and one.logs.get(two.first, -MOST) >= one.logs[one.first] - TIE


def _share(alike: Sequence[str], trained: dict[str, Seen], other: dict[str, Seen], base: dict[str, Seen]) -> Share | None:
    """The other side's change of the base model, fitted to the adapter's own by least squares.

    At each position the changes of logarithms are taken over the tokens that all three know, weighted by their probability, less
    their mean: what all tokens share is the sum to 1, no change.
    """
    products = squares = others = 0.0
    at_positions: list[tuple[float, float]] = []
    moved: list[tuple[float, float]] = []
    for name in alike:
        for own, seen, plain in zip(trained[name].positions, other[name].positions, base[name].positions, strict=True):
            if not (_numbers(own) and _numbers(seen) and _numbers(plain)):
                continue
            moved.append((divergence(own, plain), divergence(seen, plain)))
            product, square, else_ = _fitted(own, seen, plain)
            products, squares, others = products + product, squares + square, others + else_
            at_positions.append((product, square))
    if squares <= NEAR:
        return None
    there = products / squares
    error = sqrt(sum((product - there * square) ** 2 for product, square in at_positions)) / squares
    like = products / sqrt(squares * others) if others > NEAR else 0.0
    return Share(there, error, like, *(sum(side) / len(moved) for side in zip(*moved, strict=True)))


def _fitted(own: Next, seen: Next, plain: Next) -> tuple[float, float, float]:
    """Weighted sums over the tokens: own change times the other's, own squared, the other's squared."""
    tokens = [token for token in own.logs if token in seen.logs and token in plain.logs]
    weights = [exp(plain.logs[token]) + exp(own.logs[token]) for token in tokens]
    whole = sum(weights)
    if len(tokens) < 2 or whole <= NEAR:
        return 0.0, 0.0, 0.0
    first = [own.logs[token] - plain.logs[token] for token in tokens]
    second = [seen.logs[token] - plain.logs[token] for token in tokens]
    means = [sum(w * change for w, change in zip(weights, changes, strict=True)) / whole for changes in (first, second)]
    rows = [(w, one - means[0], two - means[1]) for w, one, two in zip(weights, first, second, strict=True)]
    return sum(w * a * b for w, a, b in rows), sum(w * a * a for w, a, _ in rows), sum(w * b * b for w, _, b in rows)
