"""How good a retrieval is: whether each question got what it asked for, and what another threshold would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lorewright.benchmarks.suite import Question
from lorewright.rag.retrieve import Retrieval, Search
from lorewright.rag.store import Hit


@dataclass(frozen=True)
class Answer:
    """found: as the recipe says. wide: what would be found without a threshold and with many places. known: how many passages of
    the lore are right. names: words of the question that the lore uses as names.
    """

    question: Question
    found: Retrieval
    wide: Retrieval = field(default_factory=Retrieval)
    known: int = 0
    names: tuple[str, ...] = ()

    @property
    def place(self) -> int | None:
        """Where the first right passage stands, from 1; None where there is none."""
        return place_of(self.question, self.found.hits)

    @property
    def nearest(self) -> Hit | None:
        """The nearest of all passages, used or not."""
        every = [*self.wide.hits, *(one.hit for one in self.wide.dropped)]
        return min(every, key=lambda hit: hit.distance, default=None)

    @property
    def right(self) -> bool:
        return not self.found.hits if self.question.unmatched else self.place is not None


@dataclass(frozen=True)
class Measured:
    """tried: threshold -> for each question whether it would be right. Empty where all are right."""

    search: Search
    answers: Sequence[Answer]
    tried: Mapping[float, Sequence[bool]]

    def best(self) -> tuple[float, int] | None:
        """(threshold, questions right): the one nearest to the recipe's among the best; None where the recipe's own is among them."""
        counts = {threshold: sum(right) for threshold, right in self.tried.items()}
        most = max(counts.values(), default=0)
        now = self.search.max_distance
        if most == counts.get(now, 0):
            return None
        return min((threshold for threshold, count in counts.items() if count == most), key=lambda threshold: abs(threshold - now)), most

    def helped_by(self, number: int) -> float | None:
        """The threshold nearest to the recipe's that makes this question right."""
        good = [threshold for threshold, right in self.tried.items() if right[number]]
        return min(good, key=lambda threshold: abs(threshold - self.search.max_distance), default=None)


def place_of(question: Question, hits: Sequence[Hit]) -> int | None:
    return next((number for number, hit in enumerate(hits, 1) if question.is_met_by(hit.passage)), None)


def recall(answers: Sequence[Answer]) -> float | None:
    """The share of the questions with a right passage among those found (hit rate); None of none."""
    wanted = [answer for answer in answers if not answer.question.unmatched]
    return sum(answer.right for answer in wanted) / len(wanted) if wanted else None


def reciprocal_rank(answers: Sequence[Answer]) -> float | None:
    """The mean of 1 / place of the first right passage, 0 where there is none (Voorhees 1999); None of none."""
    wanted = [answer for answer in answers if not answer.question.unmatched]
    return sum(1 / answer.place if answer.place else 0.0 for answer in wanted) / len(wanted) if wanted else None


def false_injections(answers: Sequence[Answer]) -> tuple[int, int]:
    """(questions that no lore answers and that got some all the same, questions that no lore answers)."""
    unmatched = [answer for answer in answers if answer.question.unmatched]
    return sum(not answer.right for answer in unmatched), len(unmatched)
