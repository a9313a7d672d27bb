"""Everything that speaks HTTP to the model server, and its failures as OpenAI's errors. relay.py passes its answers on."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from lorewright.rag.api_error import ApiError
from lorewright.recipe.model import Timeouts

Header = tuple[bytes, bytes]
HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
# Ours to set: the address, the length of what we send, and no compression, since whole events are told apart in the stream.
NOT_FORWARDED = HOP_BY_HOP | {b"host", b"content-length", b"content-type", b"accept-encoding", b"expect"}
LARGE = 1 << 19  # bytes; written in pieces, since one long write would hold up every stream
CLOSED_MEANWHILE = 0.3  # seconds in which a closed connection shows itself
KEPT = 3.0  # seconds an idle connection is kept: less than vLLM's five
COUNTING = 10.0  # seconds for a count of tokens
LOOKING = 2.0  # seconds for a look whether upstream is there
FAILURES = (aiohttp.ClientError, asyncio.TimeoutError, OSError)


class Upstream:
    """base: scheme, host and port of the model server, without a slash at the end.

    Connections are kept for a few seconds and used again, which saves half a millisecond. The server may close one just then:
    a request that finds its used connection closed before any answer has not been read, and is sent once more on a new one.
    Proxies named in the environment are not used: they are for the web, not for the server beside us.
    """

    def __init__(self, base: str, timeouts: Timeouts) -> None:
        self.base, self.timeouts = base, timeouts
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """Made at its first use, since it belongs to the event loop that runs then."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.timeouts.connect, sock_read=self.timeouts.answer),
                cookie_jar=aiohttp.DummyCookieJar(),  # a cookie is its client's, not everybody's
                auto_decompress=False,
                skip_auto_headers=("user-agent", "accept"),
                trace_configs=[_reuse_noted()],
            )
        return self._session

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    @asynccontextmanager
    async def answer(
        self, method: str, path: str, headers: Iterable[Header], content: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer once its headers are there; its connection is closed on the way out. Raises ApiError 502 or 504."""
        try:
            response = await self._asked(method, path, _text(headers), content)
        except FAILURES as problem:
            raise api_error(problem, self.base) from None
        try:
            yield response
        finally:
            response.close()

    async def _asked(self, method: str, path: str, headers: list[tuple[str, str]], content: bytes | None) -> aiohttp.ClientResponse:
        """Every used connection may turn out to be closed just then: the next, until one is new. What took longer was worked on."""
        begun = time.monotonic()
        while True:
            noted = {"used": False}
            try:
                data = io.BytesIO(content) if content and len(content) > LARGE else content
                return await self.session.request(
                    method, self.base + path, headers=headers, data=data, allow_redirects=False, trace_request_ctx=noted
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not noted["used"] or time.monotonic() - begun > CLOSED_MEANWHILE:
                    raise

    async def tokenize(self, body: Mapping[str, Any], headers: Iterable[Header]) -> Any:
        """vLLM's count of a prompt's tokens, parsed; None where the server does not say."""
        try:
            async with asyncio.timeout(COUNTING), self.answer("POST", "/tokenize", headers, json.dumps(body).encode()) as answer:
                return json.loads(await answer.read()) if answer.status == 200 else None
        except (ApiError, ValueError, *FAILURES):
            return None

    async def trouble(self) -> str | None:
        """Why the model server does not answer, within two seconds and with anything but a failure of its own; None if it does."""
        try:
            async with asyncio.timeout(LOOKING), self.answer("GET", "/v1/models", []) as answer:
                return f"the model server at {self.base} answers {answer.status}" if answer.status >= 500 else None
        except TimeoutError:
            return f"the model server at {self.base} does not answer"
        except ApiError as problem:
            return problem.message


def _reuse_noted() -> aiohttp.TraceConfig:
    """Notes in a request's own context that its connection has been used before."""

    async def used(session: aiohttp.ClientSession, context: Any, params: aiohttp.TraceConnectionReuseconnParams) -> None:
        context.trace_request_ctx["used"] = True

    config = aiohttp.TraceConfig()
    config.on_connection_reuseconn.append(used)
    return config


def api_error(problem: BaseException, base: str) -> ApiError:
    said = f"{type(problem).__name__}: {problem}".rstrip(": ")
    if isinstance(problem, (aiohttp.ServerTimeoutError, asyncio.TimeoutError)):
        return ApiError(504, f"the model server at {base} did not answer in time ({said})", "upstream_error")
    if isinstance(problem, (aiohttp.ClientConnectorError, aiohttp.InvalidURL)):
        return ApiError(502, f"the model server at {base} cannot be reached ({said}); is it running?", "upstream_error")
    return ApiError(502, f"the model server at {base} broke off ({said})", "upstream_error")


def request_headers(headers: Sequence[Header]) -> list[Header]:
    """The client's headers as they go upstream with a JSON body."""
    return [*passed(headers, NOT_FORWARDED), (b"content-type", b"application/json"), (b"accept-encoding", b"identity")]


def passed(headers: Iterable[Header], withheld: set[bytes]) -> list[Header]:
    """Those that go from one end to the other: without the withheld, and without those that `connection` names."""
    lowered = [(name.lower(), value) for name, value in headers]
    named = {name.strip().lower() for key, value in lowered if key == b"connection" for name in value.split(b",")}
    return [(name, value) for name, value in lowered if name not in withheld | named]


def _text(headers: Iterable[Header]) -> list[tuple[str, str]]:
    """As the client library wants them, which writes UTF-8."""
    return [(name.decode("ascii"), value.decode("utf-8", "replace")) for name, value in headers]
