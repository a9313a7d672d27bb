"""One question: the whole answer, or its pieces as they come."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from lorewright.errors import LorewrightError, unreachable

RETRIES = 3
RETRIED = {429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Answer:
    """text: what the model wrote. passages: what the proxy put before it. usage: tokens as the server counted them."""

    text: str
    passages: list[dict[str, Any]] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)
    finish: str = ""


async def ask(base_url: str, model: str, question: str, **options: Any) -> Answer:
    """Asks once and waits for the whole answer; connection failures and busy servers are tried again.

    base_url: for example http://127.0.0.1:8001/v1. options: any field of the request (max_tokens, temperature …).
    Raises LorewrightError with the server's own words.
    """
    body = {"model": model, "messages": [{"role": "user", "content": question}]} | options
    async with _client() as client:
        for attempt in range(RETRIES + 1):
            reply = await _post(client, f"{base_url}/chat/completions", body, last=attempt == RETRIES)
            if reply is not None:
                return _answer(reply)
            await asyncio.sleep(0.5 * 2**attempt)
    raise AssertionError("the last attempt returns or raises")


def _client() -> httpx.AsyncClient:
    """Proxies named in the environment are for the web, not for the server beside us. Our own proxy may want one of its keys."""
    keys = re.findall(r"[^,\s]+", os.environ.get("LOREWRIGHT_API_KEYS", ""))
    headers = {b"authorization": b"Bearer " + keys[0].encode()} if keys else {}
    return httpx.AsyncClient(timeout=httpx.Timeout(600.0, connect=5.0), trust_env=False, headers=headers)


async def _post(client: httpx.AsyncClient, url: str, body: dict[str, Any], *, last: bool) -> httpx.Response | None:
    """The reply, or None when it is worth another try."""
    try:
        reply = await client.post(url, json=body)
    except httpx.ConnectError:
        if last:
            raise unreachable(url) from None
        return None
    except httpx.HTTPError as problem:
        raise broken(url, problem) from None
    if reply.status_code in RETRIED and not last:
        return None
    if reply.status_code != 200:
        raise LorewrightError(f"answered {reply.status_code}: {said(reply.text)}", where=url)
    return reply


def _answer(reply: httpx.Response) -> Answer:
    whole = reply.json()
    choice = whole["choices"][0]
    passages = json.loads(reply.headers.get("x-lorewright-passages", "[]"))
    return Answer(choice["message"]["content"] or "", passages, whole.get("usage") or {}, choice.get("finish_reason") or "")


async def stream(base_url: str, model: str, question: str, **options: Any) -> AsyncIterator[str | list[dict[str, Any]]]:
    """First the passages the proxy used (a list), then the answer's pieces as text."""
    body = {"model": model, "messages": [{"role": "user", "content": question}], "stream": True} | options
    url = f"{base_url}/chat/completions"
    async with _client() as client:
        try:
            async with client.stream("POST", url, json=body) as reply:
                if reply.status_code != 200:
                    text = (await reply.aread()).decode(errors="replace")
                    raise LorewrightError(f"answered {reply.status_code}: {said(text)}", where=url)
                yield json.loads(reply.headers.get("x-lorewright-passages", "[]"))
                async for line in reply.aiter_lines():
                    if line.startswith("data: ") and line != "data: [DONE]":
                        yield _piece(line[6:], url)
        except httpx.ConnectError:
            raise unreachable(url) from None
        except httpx.HTTPError as problem:
            raise broken(url, problem) from None


def _piece(data: str, url: str) -> str:
    event = json.loads(data)
    if "error" in event:
        raise LorewrightError(f"the answer broke off: {said(data)}", where=url)
    return (event["choices"][0]["delta"].get("content") or "") if event.get("choices") else ""


def said(text: str) -> str:
    """A server's error in its own words, one line."""
    try:
        error = json.loads(text).get("error", text)
        text = error.get("message", text) if isinstance(error, dict) else str(error)
    except (ValueError, AttributeError):
        pass
    return " ".join(str(text).split())[:300]


def broken(url: str, problem: Exception) -> LorewrightError:
    return LorewrightError(
        f"the connection broke: {problem or type(problem).__name__}", where=url, remedy="ask again; ./lorewright status says what runs"
    )
