"""What the questions of a suite found, for people and for scripts: a table by kind, and each that failed with what may help."""

from __future__ import annotations

import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from lorewright.benchmarks.report import Report, columns, milliseconds, pipes
from lorewright.benchmarks.scoring import Answer, Measured, false_injections, place_of, recall, reciprocal_rank
from lorewright.rag.store import Hit

Failed = Sequence[tuple[int, Answer]]  # by the question's number
WIDTH = 110  # of a line on a terminal
INSTEAD = 3  # passages shown of what was found in place of the right one
SHOWN = 20  # failed questions on a terminal; the report has all
WORDS = "say it in the question's words, in the passage or in its file's tags"
LEGEND = "What was found is shown with its distance (0 to 2, lower is nearer) and its score."
FLATTERS = "It was chosen by these same questions, so it flatters: keep some questions back and ask those afterwards."


def report(recipe: str, suite: str, stamp: Mapping[str, Any], measured: Measured) -> Report:
    """stamp: of the index."""
    facts = _facts(recipe, suite, stamp, measured)
    failed = [(number, answer) for number, answer in enumerate(measured.answers) if not answer.right]
    return Report(facts, _text(facts, measured, failed), _markdown(facts, measured, failed))


def _head(facts: Mapping[str, Any]) -> tuple[str, str]:
    index, search = facts["index"], facts["search"]
    how = (
        f"{index['chunks']} passages, {index['embedding_model']}, rag.max_distance {search['max_distance']:g}, rag.top_k {search['top_k']}"
    )
    return f"{facts['recipe']}: {facts['count']} questions of {facts['suite']}", how


def _text(facts: Mapping[str, Any], measured: Measured, failed: Failed) -> str:
    """For a terminal."""
    lines = ["", *_head(facts), "", *columns(_rows(facts)), "", *([LEGEND, ""] if failed else [])]
    for number, answer in failed[:SHOWN]:
        lines += [*_shown(answer, facts["suite"], remedy(measured, number)), ""]
    lines += [f"and {len(failed) - SHOWN} more in the report", ""] if len(failed) > SHOWN else []
    return "\n".join([*lines, *_notes(measured), *textwrap.wrap(_advice(measured), WIDTH)]).rstrip()


def _markdown(facts: Mapping[str, Any], measured: Measured, failed: Failed) -> str:
    """To keep."""
    lines = [f"# Retrieval: {facts['recipe']}", "", f"{facts['time']}. {'; '.join(_head(facts))}.", "", *pipes(_rows(facts)), ""]
    if failed:
        table = [("question", "to be found", "found", "what may help"), *_failures(measured, failed)]
        lines += ["## What went wrong", "", *pipes(table), ""]
    advice = _advice(measured)
    return "\n".join([*lines, *_notes(measured), *([advice, ""] if advice else [])])


def _facts(recipe: str, suite: str, stamp: Mapping[str, Any], measured: Measured) -> dict[str, Any]:
    by_kind: dict[str, list[Answer]] = {}
    for answer in measured.answers:
        by_kind.setdefault(answer.question.kind, []).append(answer)
    search = asdict(measured.search)
    best = measured.best()
    return {
        "benchmark": "retrieval", "recipe": recipe, "suite": suite, "time": time.strftime("%Y-%m-%d %H:%M"),
        "index": dict(stamp), "search": {key: value for key, value in search.items() if value not in ((), None)},
        **figures(measured.answers), "kinds": {kind: figures(answers) for kind, answers in by_kind.items()},
        "best_max_distance": {"value": best[0], "right": best[1]} if best else None,
        "questions": [_question(measured, number) for number in range(len(measured.answers))],
    }  # fmt: skip


def figures(answers: Sequence[Answer]) -> dict[str, Any]:
    """What is counted of some answers; recall and mrr are None where no question wants a passage."""
    wrong, unmatched = false_injections(answers)
    found, rank = recall(answers), reciprocal_rank(answers)
    return {
        "count": len(answers), "recall": _rounded(found), "mrr": _rounded(rank), "unmatched": unmatched, "false_injections": wrong,
        "milliseconds": milliseconds([answer.found.milliseconds for answer in answers]),
    }  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _question(measured: Measured, number: int) -> dict[str, Any]:
    answer = measured.answers[number]
    asked = {key: value for key, value in asdict(answer.question).items() if value}
    near = [{"source": hit.passage.source, "heading": hit.passage.heading, "distance": round(hit.distance, 4),
             "score": round(hit.score, 4), "found_by": hit.found_by} for hit in answer.found.hits]  # fmt: skip
    asked |= {"notes": list(answer.found.notes)} if answer.found.notes else {}
    known = {"right": answer.right, "place": answer.place, "milliseconds": round(answer.found.milliseconds, 1), "found": near}
    return asked | known | ({} if answer.right else {"remedy": remedy(measured, number)})


def _rows(facts: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The table. A kind either wants passages or wants none."""
    rows: list[tuple[str, ...]] = [
        ("kind", "questions", f"recall@{facts['search']['top_k']}", "MRR", "false injections", "p50 ms", "p95 ms")
    ]
    kinds = [*facts["kinds"].items(), ("all", facts)] if len(facts["kinds"]) > 1 else facts["kinds"].items()
    for kind, one in kinds:
        wrong = f"{one['false_injections']} of {one['unmatched']}" if one["unmatched"] else ""
        times = [f"{one['milliseconds'][name]:.0f}" for name in ("p50", "p95")]
        rows.append((kind, str(one["count"]), _share(one["recall"]), _share(one["mrr"]), wrong, *times))
    return rows


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _shown(answer: Answer, suite: str, help_: str) -> Iterator[str]:
    question = answer.question
    yield f"{'not found' if not question.unmatched else 'found lore'}   {question.ask}   ({suite.rpartition('/')[2]}:{question.line})"
    yield from _beside("wanted", question.wanted)
    hits = [f"{hit.distance:.3f} {hit.score:.4f}  {_place(hit)}" for hit in answer.found.hits[:INSTEAD]] or [_nothing(answer)]
    for number, line in enumerate(hits):
        yield f"  {'found' if not number else '':<8}  {line}"
    yield from _beside("help", help_)


def _beside(name: str, text: str) -> list[str]:
    """A word, and beside it a text that may need several lines."""
    return textwrap.wrap(text, WIDTH, initial_indent=f"  {name:<10}", subsequent_indent=" " * 12)


def _nothing(answer: Answer) -> str:
    """What was nearest, where nothing was used."""
    near = answer.nearest
    return f"nothing; the nearest was {near.distance:.3f}  {_place(near)}" if near else "nothing"


def _failures(measured: Measured, failed: Failed) -> Iterator[tuple[str, ...]]:
    for number, answer in failed:
        found = "<br>".join(f"{hit.distance:.3f} {_place(hit)}" for hit in answer.found.hits[:INSTEAD]) or _nothing(answer)
        yield answer.question.ask, answer.question.wanted, found, remedy(measured, number)


def _place(hit: Hit) -> str:
    return f"{hit.passage.source} · {hit.passage.heading}" if hit.passage.heading else hit.passage.source


def remedy(measured: Measured, number: int) -> str:
    """What may help a question that failed."""
    answer, threshold = measured.answers[number], measured.helped_by(number)
    if answer.question.unmatched:
        return _against_lore(measured, answer, threshold)
    if not answer.known:
        return "no passage of the lore is like that: write it into the lore, or correct the suite"
    if threshold is not None:
        return f"found with rag.max_distance {threshold:g}{_at_what_price(measured, threshold)}"
    reason = next((one.reason for one in answer.wide.dropped if answer.question.is_met_by(one.hit.passage)), "")
    if reason:
        return f"passed over ({reason}): a larger rag.per_source, or {WORDS}"
    place = place_of(answer.question, answer.wide.hits)
    if place and place > measured.search.top_k:
        return f"it stands at place {place}: a larger rag.top_k, or {WORDS}"
    return WORDS


def _against_lore(measured: Measured, answer: Answer, threshold: float | None) -> str:
    if answer.names:
        return f"the lore uses “{'”, “'.join(answer.names)}” as a name; rag.lexical: false looks by meaning alone"
    if threshold is not None:
        return f"nothing is found with rag.max_distance {threshold:g}{_at_what_price(measured, threshold)}"
    return "a lower rag.max_distance"


def _at_what_price(measured: Measured, threshold: float) -> str:
    """A threshold that helps one question may spoil others."""
    then, now = sum(measured.tried[threshold]), sum(measured.tried[measured.search.max_distance])
    return f", but then {then} of {len(measured.answers)} questions are right instead of {now}" if then < now else ""


def _notes(measured: Measured) -> list[str]:
    """What did not go as the recipe asks, and how often."""
    counted = Counter(note for answer in measured.answers for note in answer.found.notes)
    lines = [f"{count} of {len(measured.answers)} questions: {note}" for note, count in counted.items()]
    return [*lines, ""] if lines else []


def _advice(measured: Measured) -> str:
    best = measured.best()
    if not best:
        return ""
    now, count = sum(measured.tried[measured.search.max_distance]), len(measured.answers)
    without = " (both without reranking)" if measured.search.rerank else ""
    return f"With rag.max_distance {best[0]:g}, {best[1]} of the {count} questions would be right instead of {now}{without}. {FLATTERS}"
