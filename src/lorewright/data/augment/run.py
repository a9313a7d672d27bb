"""One augmentation from beginning to end: what is open, what it will cost, asking, what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorewright.chat import Client, Pace, Patience
from lorewright.data.augment.asking import Asking, Call
from lorewright.data.augment.cost import Price, Tokens, counted, guessed_tokens, price_of, said_dollars
from lorewright.data.augment.items import Item
from lorewright.data.augment.jobs import Job, job_of
from lorewright.data.augment.journal import Journal, sole_writer
from lorewright.data.augment.providers import Endpoint
from lorewright.errors import LorewrightError
from lorewright.manifest import digest, write_whole
from lorewright.progress import Console
from lorewright.recipe.model import Augment

JOURNAL, REJECTED = "journal.jsonl", "rejected.jsonl"


def augment(
    items: list[Item], settings: Augment, folder: Path, console: Console, *, endpoint: Endpoint, yes: bool = False
) -> dict[str, Any]:
    """Asks for every item, and leaves the job's rows (answers.jsonl or qa.jsonl) in the folder.

    A stage calls it so:

        endpoint = endpoint_of(settings, f"{base_url(recipe.serve.host, recipe.serve.port)}/v1", recipe.name)
        items = items_of_passages((p.document, p.number, p.text) for p in passages)
        facts = augment(items, settings, run.work, run.console, endpoint=endpoint)

    and reads `run.work / facts["output"]`: {prompt, completion} or {question, answer, document, passage} a line, in the items' order.
    The rows appear when enough was answered. journal.jsonl and rejected.jsonl beside them grow while it runs; the next call with the
    same folder goes on where they end, whatever stopped this one, so a stage gives the folder that it resumes in. With our own model
    (endpoint `own`) vLLM must answer by then.

    yes: the cost is agreed to. facts: counts, tokens, dollars, `said` in one line.
    Raises LorewrightError: cost not agreed to, coverage not reached, key or model refused, server gone; nothing that was answered is lost.
    """
    job = job_of(settings)
    calls, rows_of = _calls(items[: settings.limit] if settings.limit else items, settings, endpoint, job)
    with contextlib.ExitStack() as open_files:
        open_files.enter_context(sole_writer(folder))
        kept, rejected = (open_files.enter_context(contextlib.closing(Journal(folder / name))) for name in (JOURNAL, REJECTED))
        state = _State(settings, endpoint, job, kept, rejected, console, price_of(endpoint, settings.prices))
        todo = _open_calls(calls, state)
        _agree(todo, len(calls), state, yes=yes)
        begun = time.monotonic()
        try:
            if todo:
                asyncio.run(_ask(todo, state))
        finally:
            facts = _facts(calls, rows_of, state, time.monotonic() - begun)
            console.line(f"augment   {facts['said']}")
        _check_coverage(facts, state, folder)
        values = {record["key"]: record["value"] for record in kept.records}
        rows = [row for item, key in rows_of if key in values for row in job.rows(item, values[key])]
        write_whole(folder / job.output, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        return facts | {"rows": len(rows)}


@dataclass
class _State:
    settings: Augment
    endpoint: Endpoint
    job: Job
    kept: Journal
    rejected: Journal
    console: Console
    price: Price | None
    failed: dict[str, str] = field(default_factory=dict)


def _calls(items: list[Item], settings: Augment, endpoint: Endpoint, job: Job) -> tuple[dict[str, Call], list[tuple[Item, str]]]:
    """(calls by key, every item with the key of its call): items that ask the very same are asked once."""
    calls: dict[str, Call] = {}
    rows_of = []
    for item in items:
        body: dict[str, Any] = {"model": endpoint.model, "messages": job.messages(item), "max_tokens": settings.max_tokens}
        if settings.temperature is not None:
            body["temperature"] = settings.temperature
        key = digest([settings.job, body, job.schema])
        calls.setdefault(key, Call(key, item, body))
        rows_of.append((item, key))
    return calls, rows_of


def _open_calls(calls: dict[str, Call], state: _State) -> list[Call]:
    answered = {record["key"] for record in state.kept.records}
    times = Counter(record["key"] for record in state.rejected.records)
    final = {record["key"] for record in state.rejected.records if record.get("final")}
    for call in calls.values():
        call.rejected = times[call.key]
    return [call for key, call in calls.items() if key not in answered | final and call.rejected <= state.settings.reask]


def _agree(todo: list[Call], total: int, state: _State, *, yes: bool) -> None:
    """Says what it will take, and asks when that may be more than `ask_above` dollars, or when nobody knows the price."""
    if not todo:
        state.console.line(f"augment   nothing to ask: {total:,} prompts were settled earlier ({state.kept.file.parent} keeps the answers)")
        return
    sent = sum(guessed_tokens("".join(turn["content"] for turn in call.body["messages"])) for call in todo)
    likely = Tokens(sent, len(todo) * min(state.job.expected, state.settings.max_tokens))
    most = Tokens(sent, len(todo) * state.settings.max_tokens)
    before = f"{total - len(todo):,} of {total:,} prompts settled earlier; " if total > len(todo) else ""
    if state.price:
        money = "no cost: it runs here"
        if state.price != Price(0.0, 0.0):
            money = f"about {said_dollars(likely.dollars(state.price))}, at most {said_dollars(most.dollars(state.price))} without repeats"
    else:
        money = f"the price of {state.endpoint.model} is not known"
    state.console.line(f"augment   {before}{len(todo):,} to ask of {state.endpoint.model}: about {likely}; {money}")
    if yes or (state.price and most.dollars(state.price) <= state.settings.ask_above):
        return
    _ask_person(money, known=state.price is not None, console=state.console)


def _ask_person(money: str, *, known: bool, console: Console) -> None:
    remedy = "raise data.augment.ask_above" if known else "give its price under data.augment.prices"
    remedy += "; `lorewright augment` takes --yes too"
    if not (sys.stdin and sys.stdin.isatty() and console.terminal):
        raise LorewrightError(f"would spend money unasked ({money})", remedy=remedy)
    console.line("go on? [y/N]")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise LorewrightError("not agreed to; nothing was sent", remedy=remedy)


async def _ask(todo: list[Call], state: _State) -> None:
    settings = state.settings
    client = Client(
        state.endpoint.base_url,
        key=state.endpoint.key,
        patience=Patience(timeout=settings.timeout, retries=settings.retries),
        pace=Pace.of(settings.sleep, settings.rpm),
    )
    with state.console.bar("augment") as bar:
        asking = Asking(client, state.job, settings, state.kept, state.rejected, bar)
        try:
            async with client:
                await asking.all(todo, len(todo))
        finally:
            state.failed = asking.failed
            await state.kept.settle()
            await state.rejected.settle()


def _facts(calls: dict[str, Call], rows_of: list[tuple[Item, str]], state: _State, seconds: float) -> dict[str, Any]:
    answered = {record["key"] for record in state.kept.records} & calls.keys()
    reasons = {record["key"]: record["reason"] for record in state.rejected.records if record["key"] in calls.keys() - answered}
    tokens = counted(state.kept.records) + counted(state.rejected.records)
    dollars = tokens.dollars(state.price) if state.price else None
    money = "; price not known" if dollars is None else f"; {said_dollars(dollars)}" if state.price != Price(0.0, 0.0) else ""
    lost = [f"{len(found):,} {word}" for found, word in ((reasons, "rejected"), (state.failed, "failed")) if found]
    said = f"{', '.join([f'{len(answered):,} of {len(calls):,} prompts answered', *lost])}; {tokens} in all{money}"
    return {
        "items": len(rows_of), "prompts": len(calls), "answered": len(answered), "rejected": len(reasons), "failed": len(state.failed),
        "reasons": dict(Counter([*reasons.values(), *state.failed.values()]).most_common(10)), "model": state.endpoint.model,
        "tokens_in": tokens.input, "tokens_out": tokens.output, "dollars": None if dollars is None else round(dollars, 4),
        "unreadable_lines": state.kept.broken, "seconds": round(seconds, 1), "output": state.job.output, "said": said,
    }  # fmt: skip


def _check_coverage(facts: dict[str, Any], state: _State, folder: Path) -> None:
    share = facts["answered"] / facts["prompts"] if facts["prompts"] else 1.0
    if share >= state.settings.coverage:
        return
    reasons = "; ".join(f"{count} × {reason}" for reason, count in list(facts["reasons"].items())[:3])
    again = "run again: what failed is asked again, what was answered is kept" if facts["failed"] else "all that is allowed was tried"
    raise LorewrightError(
        f"{share:.0%} of the prompts have an answer, {state.settings.coverage:.0%} are wanted ({reasons})",
        where=str(folder / REJECTED) if facts["rejected"] else str(folder),
        remedy=f"{again}; else raise data.augment.reask, change the prompt or the model, or lower data.augment.coverage",
    )
