"""Asks for every call that is still open, so many at a time, and keeps what comes back one by one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lorewright.chat import Answer, Client, GaveUpError, RefusedError
from lorewright.data.augment.items import Item
from lorewright.data.augment.jobs import Job
from lorewright.data.augment.journal import Journal
from lorewright.data.augment.validate import RejectedError
from lorewright.errors import LorewrightError
from lorewright.progress import Bar
from lorewright.recipe.model import Augment

UNSUPPORTED = ("unsupported", "not support", "deprecated", "only the default")
KEPT_TEXT = 4000  # characters of a rejected answer that the side file shows


@dataclass
class Call:
    """One thing to ask. key: hash of prompt and settings. rejected: how many answers to it were of no use so far."""

    key: str
    item: Item
    body: dict[str, Any]
    rejected: int = 0


@dataclass
class Dialect:
    """What this server does not take, learnt from its refusals, so that later calls do not run into them again."""

    schema: dict[str, Any] | None
    without: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)

    def body(self, call: Call) -> dict[str, Any]:
        body = {self.renamed.get(name, name): value for name, value in call.body.items() if name not in self.without}
        if self.schema:
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": self.schema}}
        return body

    def learns(self, problem: RefusedError, body: dict[str, Any]) -> bool:
        """Whether the refusal names one of our settings; then the call is worth another try."""
        if "max_completion_tokens" in problem.what and "max_tokens" in body:
            self.renamed["max_tokens"] = "max_completion_tokens"
            return True
        if "temperature" in body and "temperature" in problem.what and any(word in problem.what.lower() for word in UNSUPPORTED):
            self.without.add("temperature")
            return True
        return False


class Asking:
    """One run over open calls. failed: item name -> why no answer could be had; they are asked again by the next run."""

    def __init__(self, client: Client, job: Job, settings: Augment, kept: Journal, rejected: Journal, bar: Bar) -> None:
        self.client, self.job, self.settings = client, job, settings
        self.kept, self.rejected, self.bar = kept, rejected, bar
        self.dialect = Dialect(dict(job.schema) if job.schema and settings.structured else None)
        self.failed: dict[str, str] = {}
        self._done, self._failed_in_a_row = 0, 0

    async def all(self, calls: Iterable[Call], total: int) -> None:
        """Raises LorewrightError when going on is of no use, OSError when the disk refuses; what came before is kept."""
        todo = iter(calls)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.settings.in_flight, total)):
                    group.create_task(self._work(todo, total))
        except BaseExceptionGroup as several:
            raise _first(several) from None

    async def _work(self, todo: Iterator[Call], total: int) -> None:
        for call in todo:
            try:
                await self._settle(call)
                self._failed_in_a_row = 0
            except GaveUpError as problem:
                self._failure(call, problem)
            self._done += 1
            self.bar(self._done, total, f"{self._done:,} of {total:,}, {len(self.failed)} failed")

    def _failure(self, call: Call, problem: GaveUpError) -> None:
        """A server that answers nobody is not asked ten thousand times."""
        self.failed[call.item.name] = problem.what
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= max(5, self.settings.in_flight):
            what = f"{self._failed_in_a_row} prompts in a row got no answer; {problem.what}"
            raise LorewrightError(
                what, where=problem.where, remedy="see that the server runs (our own: ./lorewright serve RECIPE), then run again"
            )

    async def _settle(self, call: Call) -> None:
        """Until an answer is kept, or as many were rejected as are allowed."""
        while call.rejected <= self.settings.reask:
            try:
                answer = await self._answer(call)
            except RefusedError as problem:
                if problem.for_all:
                    raise
                call.rejected = self.settings.reask + 1
                await self._reject(call, problem.what, Answer(""), final=True)
                return
            try:
                value = self.job.accept(answer)
            except RejectedError as problem:
                call.rejected += 1
                await self._reject(call, str(problem), answer)
                continue
            await self.kept.append(_record(call, answer) | {"value": value})
            return

    async def _answer(self, call: Call) -> Answer:
        """Without the schema where the server refuses it: the first call that fares better so says it for all later ones."""
        while True:
            body = self.dialect.body(call)
            try:
                return await self.client.complete(body)
            except RefusedError as problem:
                if problem.status not in (400, 422):
                    raise
                if self.dialect.learns(problem, body):
                    continue
                if "response_format" not in body:
                    raise
            del body["response_format"]
            answer = await self.client.complete(body)
            self.dialect.schema = None
            return answer

    async def _reject(self, call: Call, reason: str, answer: Answer, *, final: bool = False) -> None:
        shown = {"reason": reason, "prompt": call.item.text[:KEPT_TEXT], "answer": answer.text[:KEPT_TEXT]}
        await self.rejected.append(_record(call, answer) | shown | ({"final": True} if final else {}))


def _record(call: Call, answer: Answer) -> dict[str, Any]:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"key": call.key, "name": call.item.name, "at": now, "finish": answer.finish, "usage": answer.usage}


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first single problem; several workers may have met the same one."""
    problem: BaseException = several
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem
