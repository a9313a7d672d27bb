"""Does the lore answer? Asks a suite's questions of the recipe's index as the proxy would, and finds out what went wrong where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from lorewright.benchmarks.report import Report
from lorewright.benchmarks.retrieval_report import report
from lorewright.benchmarks.scoring import Answer, Measured
from lorewright.benchmarks.suite import Question, read_suite
from lorewright.envs import CHECKOUT
from lorewright.errors import LorewrightError
from lorewright.progress import Bar, Console, shown
from lorewright.rag.embed import TextEmbedder, Vectors, load_embedder
from lorewright.rag.lexical import terms
from lorewright.rag.lore_control import FILTERS
from lorewright.rag.retrieve import Search, query_text, require_same_model, retrieve
from lorewright.rag.store import Index, open_index
from lorewright.recipe import Rag, Recipe

BUNDLED_LORE = CHECKOUT / "RAG" / "data"
BUNDLED_SUITE = CHECKOUT / "benchmarks" / "suites" / "retrieval.yaml"
FARTHEST = 2.0  # cosine: a threshold that lets everything through
LOOKED_AT = 50  # passages of one question that are looked at for where the right one stands
STEPS = 12  # thresholds that are tried beside the recipe's


@dataclass(frozen=True)
class Suite:
    """file: as people would name it."""

    file: str
    questions: Sequence[Question]


def read(recipe: Recipe, suite: Path | None) -> Suite:
    """What is to be asked. suite: None for the one that comes with the bundled lore. Raises LorewrightError and RecipeError."""
    if not recipe.rag:
        raise LorewrightError("the recipe has no lore", where=shown(recipe.file), remedy="add a rag: section with its sources")
    file = str(suite) if suite else shown(_bundled(recipe.rag))
    return Suite(file, read_suite(Path(file), file))


def bench(recipe: Recipe, done: Mapping[str, Path], suite: Suite, console: Console) -> Report:
    """done: the folder of the stage ingest."""
    assert recipe.rag
    index = open_index(done["ingest"] / "index")
    try:
        embedder = load_embedder(recipe.rag.embedding_model, "auto")
        require_same_model(index, embedder)
        with console.bar("bench") as bar:
            measured = measure(index, embedder, suite.questions, search_of(recipe.rag), bar)
        return report(recipe.name, suite.file, index.stamp, measured)
    finally:
        index.close()


def _bundled(rag: Rag) -> Path:
    """Raises LorewrightError where the lore is another than the one that the suite asks about."""
    if not any(Path(source).is_relative_to(BUNDLED_LORE) for source in rag.sources) or not BUNDLED_SUITE.exists():
        raise LorewrightError(
            "the suite that comes along asks about the bundled lore, and this recipe has its own",
            remedy="write down some questions and name the file: --suite FILE; docs/lore.md shows how",
        )
    return BUNDLED_SUITE


def search_of(rag: Rag) -> Search:
    """Every setting of a search that the recipe has, by its name; filters are a request's own."""
    names = [one.name for one in fields(Search) if one.name not in FILTERS and hasattr(rag, one.name)]
    return Search(**{name: getattr(rag, name) for name in names})


class Remembering:
    """An embedder that embeds each question once, however often it is looked for; all else is the embedder's own."""

    def __init__(self, embedder: TextEmbedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Vectors] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    def query(self, text: str) -> Vectors:
        if text not in self._known:
            self._known[text] = self._embedder.query(text)
        return self._known[text]


def measure(index: Index, embedder: TextEmbedder, questions: Sequence[Question], search: Search, bar: Bar) -> Measured:
    """Each question's answer, and which of them would be right with other thresholds."""
    embedder.query("warm up")  # the first query is ten times slower
    remembering = cast(TextEmbedder, Remembering(embedder))
    every = index.catalogue.every()
    answers = []
    for number, question in enumerate(questions):
        bar(number, len(questions), question.ask[:50])
        answers.append(_answer(index, embedder, remembering, question, search, sum(map(question.is_met_by, every))))
    if all(answer.right for answer in answers):
        return Measured(search, answers, {})
    tried = {}
    for number, threshold in enumerate(thresholds(answers, search.max_distance)):
        bar(number, STEPS, f"with rag.max_distance {threshold:g}")
        # Without the reranker, which takes long and moves no passage over the threshold.
        other = replace(search, max_distance=threshold, rerank=None)
        tried[threshold] = [_is_right(index, remembering, question, other) for question in questions]
    return Measured(search, answers, tried)


def _answer(index: Index, embedder: TextEmbedder, remembering: TextEmbedder, question: Question, search: Search, known: int) -> Answer:
    text = _searched(question)
    found = retrieve(index, embedder, text, search)
    wide = replace(search, top_k=max(LOOKED_AT, search.top_k), max_distance=FARTHEST, neighbours=0, rerank=None)
    asked = terms(text) if search.lexical else []
    return Answer(question, found, retrieve(index, remembering, text, wide), known, tuple(sorted(index.catalogue.names(asked))))


def _is_right(index: Index, embedder: TextEmbedder, question: Question, search: Search) -> bool:
    return Answer(question, retrieve(index, embedder, _searched(question), search)).right


def _searched(question: Question) -> str:
    return query_text([{"role": "user", "content": question.ask}])


def thresholds(answers: Sequence[Answer], now: float) -> list[float]:
    """What is worth trying: even steps over the distances at which something is found first, and what stands in the recipe."""
    nearest = [answer.nearest.distance for answer in answers if answer.nearest]
    if not nearest:
        return [now]
    low, high = min(nearest), max(nearest)
    return sorted({now, *(round(low + (high - low) * step / (STEPS - 2), 2) for step in range(STEPS - 1))})
