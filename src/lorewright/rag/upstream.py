"""Everything that speaks HTTP to the model server: raw bytes through, and its failures as OpenAI's errors."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.types import Send

from lorewright.rag.api_error import ApiError

log = logging.getLogger("lorewright.rag")

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
# The body's length is set again, or left out for events; the server's name and date are our own server's to give.
NOT_RETURNED = HOP_BY_HOP | {b"content-length", b"date", b"server"}
EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")


@dataclass(frozen=True)
class Upstream:
    """base: scheme, host and port of the model server, without a slash at the end."""

    base: str
    client: httpx.AsyncClient = field(repr=False)

    @asynccontextmanager
    async def answer(
        self, method: str, path: str, headers: Iterable[Header], content: bytes | None = None
    ) -> AsyncIterator[httpx.Response]:
        """The answer once its headers are there; its connection is closed on the way out. Raises ApiError 502, 503 or 504."""
        try:
            request = self.client.build_request(method, self.base + path, headers=list(headers), content=content)
            response = await self.client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            raise api_error(problem, self.base) from None
        try:
            yield response
        finally:
            await response.aclose()

    async def tokenize(self, body: Mapping[str, Any], headers: Iterable[Header]) -> Any:
        """vLLM's count of a chat's tokens, parsed; None where the server does not say."""
        try:
            answer = await self.client.post(f"{self.base}/tokenize", json=body, headers=list(headers), timeout=10)
            return answer.json() if answer.status_code == 200 else None
        except (httpx.HTTPError, ValueError):
            return None

    async def alive(self) -> bool:
        """Whether the model server answers within two seconds, with anything but a failure of its own."""
        try:
            answer = await self.client.get(f"{self.base}/v1/models", timeout=2)
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return answer.status_code < 500


def connect(base: str, read_timeout: float = 600.0) -> Upstream:
    """read_timeout: seconds without a byte until upstream counts as hung.

    Each request has a connection of its own: one kept alive may be closed by the server just as it is used again.
    Proxies named in the environment are not used: they are for the web, not for the server beside us.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    timeout = httpx.Timeout(read_timeout, connect=5.0)
    return Upstream(base, httpx.AsyncClient(timeout=timeout, limits=limits, trust_env=False, follow_redirects=False))


def api_error(problem: Exception, base: str) -> ApiError:
    said = f"{type(problem).__name__}: {problem}".rstrip(": ")
    if isinstance(problem, httpx.PoolTimeout):
        return ApiError(503, f"too many requests wait for the model server at {base}", "overloaded_error")
    if isinstance(problem, httpx.TimeoutException):
        return ApiError(504, f"the model server at {base} did not answer in time ({said})", "upstream_error")
    if isinstance(problem, (httpx.ConnectError, httpx.InvalidURL, httpx.UnsupportedProtocol)):
        return ApiError(502, f"the model server at {base} cannot be reached ({said}); is it running?", "upstream_error")
    return ApiError(502, f"the model server at {base} broke off ({said})", "upstream_error")


def request_headers(headers: Sequence[Header]) -> list[Header]:
    """The client's headers as they go upstream with a JSON body."""
    return [*_passed(headers, NOT_FORWARDED), (b"content-type", b"application/json"), (b"accept-encoding", b"identity")]


async def relay(answer: httpx.Response, send: Send, added: Sequence[Header] = ()) -> ApiError | None:
    """Passes status, headers and body on as they are; an event stream as it comes, anything else once it is whole.

    Returns what broke a stream after it began: the client has then got it as a last event.
    Raises ApiError 502 or 504 when a body that is no stream breaks off: nothing has been sent then.
    """
    headers = [*_passed(answer.headers.raw, NOT_RETURNED), *added]
    encoded = answer.headers.get("content-encoding", "identity") != "identity"  # not as we asked: no event can be told apart
    if answer.headers.get("content-type", "").startswith("text/event-stream") and not encoded:
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        return await _relay_events(answer, send)
    try:
        body = b"".join([chunk async for chunk in answer.aiter_raw()])
    except httpx.HTTPError as problem:
        raise api_error(problem, _base(answer)) from None
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return None


async def _relay_events(answer: httpx.Response, send: Send) -> ApiError | None:
    """Half an event is held back until it is whole, so that a client never sees one that upstream did not finish."""
    broken: ApiError | None = None
    held = b""
    try:
        async for chunk in answer.aiter_raw():
            whole, held = whole_events(held + chunk)
            if whole:
                await send({"type": "http.response.body", "body": whole, "more_body": True})
    except httpx.HTTPError as problem:
        broken = api_error(problem, _base(answer))
        log.warning("a stream broke off: %s", broken.message)
        held = broken.event()
    await send({"type": "http.response.body", "body": held})
    return broken


def whole_events(data: bytes) -> tuple[bytes, bytes]:
    """(events that are complete, the rest): cut after the last empty line."""
    cut = max(data.rfind(end) + len(end) if end in data else 0 for end in EVENT_ENDS)
    return data[:cut], data[cut:]


def _base(answer: httpx.Response) -> str:
    return f"{answer.request.url.scheme}://{answer.request.url.netloc.decode()}"


def _passed(headers: Sequence[Header], withheld: set[bytes]) -> list[Header]:
    lowered = [(name.lower(), value) for name, value in headers]
    named = {name.strip().lower() for key, value in lowered if key == b"connection" for name in value.split(b",")}
    return [(name, value) for name, value in lowered if name not in withheld | named]
