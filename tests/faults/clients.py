"""Clients that ask all the time, and judge each answer: whole and right, or ended with an error that says so. Anything else is wrong."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

KNOWN = "stable/quillon.md"  # the lore that every answer is given


class WrongError(Exception):
    """An answer that its client would have taken for a whole one."""


@dataclass
class Weather:
    """Whether services are being killed now. trouble: how often they have been. wrong: answers that must never be."""

    trouble: int = 0
    calm: bool = True
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def storm(self) -> None:
        self.trouble, self.calm = self.trouble + 1, False

    def now(self) -> tuple[int, bool]:
        return self.trouble, self.calm


@dataclass(frozen=True)
class Question:
    """Its answer is known where the fake model server gives it; of a real model's only the length is."""

    model: str
    start: int
    steps: int
    stream: bool
    real: bool

    @property
    def answer(self) -> str:
        return "knows " + "".join(f"{number} " for number in range(self.start, self.start + self.steps))

    def body(self) -> dict[str, Any]:
        said = f"What does Quillon do? Then count from {self.start} in {self.steps} steps."
        exact = {"max_tokens": self.steps, "ignore_eos": True, "temperature": 0}
        more = {"stream_options": {"include_usage": True}} if self.stream else {}
        asked = {"model": self.model, "messages": [{"role": "user", "content": said}], "stream": self.stream}
        return asked | (exact | more if self.real else {})


@contextmanager
def asking(url: str, weather: Weather, model: str, clients: int, seed: int, *, real: bool) -> Iterator[None]:
    """So many clients, each asking as soon as it is answered, until the block ends."""

    def one(number: int) -> None:
        draw = random.Random(seed * 100 + number)
        with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
            while not weather.stop.is_set():
                question = Question(model, draw.randrange(1000), draw.randrange(5, 60), draw.random() < 0.75, real)
                before = weather.now()
                try:
                    outcome = asked(client, question)
                except WrongError as problem:
                    weather.wrong.append(str(problem))
                    outcome = "WRONG"
                if outcome != "whole" and before == weather.now() and before[1]:
                    weather.wrong.append(f"nothing was being killed, and yet: {outcome}")
                weather.outcomes[outcome] += 1
                weather.stop.wait(draw.uniform(0, 0.3) if outcome == "whole" else 0.5)

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        weather.stop.set()
        for thread in threads:
            thread.join(150)


def asked(client: httpx.Client, question: Question) -> str:
    """How a question ended: `whole`, or which error. Raises WrongError."""
    body = b""
    try:
        with client.stream("POST", "/v1/chat/completions", json=question.body()) as reply:
            for piece in reply.iter_raw():
                body += piece
    except httpx.ConnectError:
        return "connection refused"
    except httpx.TransportError as problem:
        if question.stream:
            spoken(body[: body.rfind(b"\n\n") + 2], question)  # what came is right as far as it goes
        return f"connection broke ({type(problem).__name__})"
    if reply.status_code != 200:
        error_of(body, reply.status_code)
        return f"status {reply.status_code}"
    if KNOWN not in reply.headers.get("x-lorewright-passages", ""):
        raise WrongError(f"answered without its lore: {dict(reply.headers)}")
    return streamed(body, question) if question.stream else at_once(body, question)


def streamed(body: bytes, question: Question) -> str:
    """The outcome of a stream whose transfer has ended as it should."""
    if not body.endswith(b"\n\n"):
        raise WrongError(f"a stream ended within an event: {body[-200:]!r}")
    last = body.rstrip().rpartition(b"\n\n")[2].removeprefix(b"data: ")
    text, pieces = spoken(body, question)
    if last == b"[DONE]":
        require_whole(text, pieces, question)
        return "whole"
    error_of(last, 0)
    return "error event"


def spoken(body: bytes, question: Question) -> tuple[str, int]:
    """(text, tokens where they are told) of the whole events. Raises WrongError where it is not the beginning of the answer."""
    text, tokens = "", 0
    for event in filter(None, body.split(b"\n\n")):
        if not event.startswith(b"data: "):
            raise WrongError(f"no event: {event[:200]!r}")
        data = event.removeprefix(b"data: ")
        if data == b"[DONE]":
            continue
        try:
            parsed = json.loads(data)
        except ValueError:
            raise WrongError(f"half an event: {data[:200]!r}") from None
        tokens = (parsed.get("usage") or {}).get("completion_tokens", tokens)
        text += "".join(choice["delta"].get("content") or "" for choice in parsed.get("choices", []))
    if not question.real and not question.answer.startswith(text):
        raise WrongError(f"{question}: {text!r}")
    return text, tokens


def at_once(body: bytes, question: Question) -> str:
    try:
        answer = json.loads(body)
        text = str(answer["choices"][0]["message"]["content"])
    except (ValueError, KeyError):
        raise WrongError(f"no answer: {body[:300]!r}") from None
    require_whole(text, (answer.get("usage") or {}).get("completion_tokens", 0), question)
    return "whole"


def require_whole(text: str, tokens: int, question: Question) -> None:
    if (tokens != question.steps) if question.real else (text != question.answer):
        raise WrongError(f"{question}: {text!r}, {tokens} tokens, told as whole")


def error_of(body: bytes, status: int) -> None:
    """An error says what it is, in OpenAI's shape."""
    try:
        error = json.loads(body)["error"]
        assert error["message"] and error["type"]
    except (ValueError, KeyError, TypeError, AssertionError):
        raise WrongError(f"no clear error, status {status}: {body[-300:]!r}") from None
