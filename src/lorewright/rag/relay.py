"""Passes a model server's answer on: raw bytes through, nothing parsed, and a stream that dies ends in an error event."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import aiohttp
from starlette.types import Send

from lorewright.rag.api_error import ApiError
from lorewright.rag.upstream import FAILURES, HOP_BY_HOP, Header, api_error, passed

log = logging.getLogger("lorewright.rag")

# The body's length is set again, or left out for events; the server's name and date are our own server's to give.
NOT_RETURNED = HOP_BY_HOP | {b"content-length", b"date", b"server"}
EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
LONGEST_HELD = 1_000_000  # bytes of an event that does not end


async def relay(
    answer: aiohttp.ClientResponse, send: Send, added: Sequence[Header] = (), first_byte: Callable[[], None] = lambda: None
) -> ApiError | None:
    """Passes status, headers and body on as they are; an event stream as it comes, anything else once it is whole.

    first_byte: called when the body begins. Returns what broke a stream after it began: the client has then got it as a last
    event. Raises ApiError 502 or 504 when a body that is no stream breaks off: nothing has been sent then.
    """
    headers = [*passed(answer.raw_headers, NOT_RETURNED), *added]
    encoded = answer.headers.get("content-encoding", "identity") != "identity"  # not as we asked: no event can be told apart
    if answer.headers.get("content-type", "").startswith("text/event-stream") and not encoded:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        return await _relay_events(answer, send, first_byte)
    try:
        body = await answer.read()
    except FAILURES as problem:
        raise api_error(problem, base(answer)) from None
    first_byte()
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return None


async def _relay_events(answer: aiohttp.ClientResponse, send: Send, first_byte: Callable[[], None]) -> ApiError | None:
    """Half an event is held back until it is whole, so that a client never sees one that upstream did not finish."""
    broken: ApiError | None = None
    held = b""
    begun = False
    try:
        while chunk := await answer.content.readany():
            if not begun:
                begun = True
                first_byte()
            whole, held = whole_events(held + chunk)
            if whole:
                await send({"type": "http.response.body", "body": whole, "more_body": True})
    except FAILURES as problem:
        broken = api_error(problem, base(answer))
        log.warning("a stream broke off: %s", broken.message)
        held = whole_events(held + _unread(answer.content))[0] + broken.event()
    await send({"type": "http.response.body", "body": held})
    return broken


def whole_events(data: bytes) -> tuple[bytes, bytes]:
    """(events that are complete, the rest): cut after the last empty line. What is too long for an event is not held."""
    if data.endswith(b"\n\n") or len(data) > LONGEST_HELD:
        return data, b""
    cut = max(data.rfind(end) + len(end) if end in data else 0 for end in EVENT_ENDS)
    return data[:cut], data[cut:]


def _unread(content: aiohttp.StreamReader) -> bytes:
    """What arrived before the connection broke: once it has, the reader raises and keeps this to itself.

    aiohttp has no public way to it. Where another version names it otherwise, these last events are lost and nothing else, and
    test_what_came_before_the_connection_broke_is_passed_on goes red.
    """
    return b"".join(getattr(content, "_buffer", ()))[getattr(content, "_buffer_offset", 0) :]


def base(answer: aiohttp.ClientResponse) -> str:
    return str(answer.url.origin())
