"""Many calls at a time to one OpenAI-compatible server: paced and patient, every failure in words that hold no key."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from lorewright.chat.once import Answer, said
from lorewright.chat.patience import Pace, Patience, retry_after
from lorewright.errors import LorewrightError

BUSY = {408, 409, 425, 429}  # these, and every 5xx, may go better next time
ENDED = ("insufficient_quota", "billing_hard_limit", "credit balance")  # a 429 that no waiting mends
SHARED_HOLD = 1.0  # seconds: from this Retry-After on, all calls wait, not only the one that was told


class RefusedError(LorewrightError):
    """The server's answer that no repetition mends. status: 400 to 499; for_all: the same would be said to every other call."""

    def __init__(self, what: str, *, status: int, where: str, remedy: str = "") -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.status = status
        self.for_all = status in (401, 402, 403, 404, 405, 429)


class GaveUpError(LorewrightError):
    """Tried as often as told. Another time it may go well."""


class _AgainError(Exception):
    """One try failed in a way that another may not. after: seconds the server asked for."""

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


class Client:
    """Calls of one server over kept connections; `async with` closes them.

    base_url: for example http://127.0.0.1:8000/v1. key: sent as the bearer token; it is blotted out of everything that is said.
    Each call under way has an httpx client of its own: a shared pool looks at every connection for every request, and spends
    more time on that than on all the rest.
    """

    def __init__(self, base_url: str, *, key: str = "", patience: Patience | None = None, pace: Pace | None = None) -> None:
        self.url = f"{base_url.rstrip('/')}/chat/completions"
        self.patience, self.pace, self._key = patience or Patience(), pace or Pace(), key
        self._web = not is_here(base_url)  # proxies named in the environment are for the web, not for the server beside us
        self._certificates = httpx.create_ssl_context(trust_env=self._web)
        self._free: list[httpx.AsyncClient] = []

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *problem: object) -> None:
        for http in self._free:
            await http.aclose()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[httpx.AsyncClient]:
        http = self._free.pop() if self._free else self._new()
        try:
            yield http
        finally:
            self._free.append(http)

    def _new(self) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {self._key}"} if self._key else {}
        timeout = httpx.Timeout(self.patience.timeout, connect=min(10.0, self.patience.timeout))
        return httpx.AsyncClient(headers=headers, timeout=timeout, verify=self._certificates, trust_env=self._web)

    async def complete(self, body: dict[str, Any]) -> Answer:
        """The answer to one request body (model, messages, …).

        Raises RefusedError when asking again is of no use, GaveUpError after the last try.
        """
        why, after = "", 0.0
        for attempt in range(self.patience.retries + 1):
            await self.pace.turn()
            try:
                return await self._once(body)
            except _AgainError as problem:
                why, after = str(problem), problem.after
            if after >= SHARED_HOLD:
                self.pace.hold(after)
            if attempt < self.patience.retries:
                await asyncio.sleep(after + self.patience.wait(0 if after else attempt))
        tries = self.patience.retries + 1
        raise GaveUpError(f"gave up after {tries} {'tries' if tries > 1 else 'try'}: {why}", where=self.url)

    async def _once(self, body: dict[str, Any]) -> Answer:
        try:
            async with asyncio.timeout(self.patience.timeout):  # httpx counts each read anew: a trickle would never end
                with self._connection() as http:
                    reply = await http.post(self.url, json=body)
        except TimeoutError:
            raise _AgainError(f"no whole answer within {self.patience.timeout:g} s") from None
        except httpx.ConnectError as problem:
            raise _AgainError(f"no connection: {self._blotted(str(problem))}") from None
        except httpx.HTTPError as problem:
            raise _AgainError(f"the connection broke: {self._blotted(str(problem)) or type(problem).__name__}") from None
        if reply.status_code == 200:
            return _parsed(reply)
        words = self._blotted(said(reply.text))
        status = reply.status_code
        ended = status == 429 and any(mark in reply.text for mark in ENDED)
        if (status in BUSY or status >= 500) and not ended:
            raise _AgainError(f"answered {status}: {words}", retry_after(reply.headers))
        raise RefusedError(f"answered {status}: {words}", status=status, where=self.url, remedy=_remedy(status))

    def _blotted(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def _parsed(reply: httpx.Response) -> Answer:
    """Raises _AgainError for a body that is no completion: half a JSON text, a login page, an error sent with status 200."""
    try:
        whole = reply.json()
        choice = whole["choices"][0]
        text = choice["message"].get("content") or choice["message"].get("refusal") or ""
        usage = whole.get("usage")
        finish = str(choice.get("finish_reason") or "")
        clean = text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair could not be written to a file
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        raise _AgainError(f"the answer was no completion: {' '.join(reply.text[:80].split())!r}") from None
    return Answer(clean, usage=usage if isinstance(usage, dict) else {}, finish=finish)


def _remedy(status: int) -> str:
    return {
        401: "check the key in the variable that data.augment.key_variable names",
        402: "the account has no credit left",
        403: "the key may not use this model",
        404: "check data.augment.model and base_url",
        405: "check data.augment.base_url; it ends in /v1 as a rule",
        429: "the account has no credit left",
    }.get(status, "")


def is_here(url: str) -> bool:
    """Whether the URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
