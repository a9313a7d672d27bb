"""A scripted model server on real sockets: records what it was asked, answers as told, and notes when its client left."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reply:
    """chunks: written one after the other, each flushed. then: what happens after them.

    end: a proper end. hang: nothing more comes. die: the connection breaks. length: send Content-Length, else chunked.
    before: hang before the headers. wait: nothing is sent until it is set.
    """

    chunks: Sequence[bytes] = (b"{}",)
    status: int = 200
    content_type: str = "application/json"
    then: str = "end"
    length: bool = False
    before: bool = False
    pause: float = 0.0
    wait: threading.Event | None = None


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class UpstreamServer:
    """replies: path -> what to answer, or a function of the request. asked: all requests. left: when clients hung up, monotonic seconds."""

    replies: dict[str, Reply | Callable[[Asked], Reply]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bodies(self, path: str = "/v1/chat/completions") -> list[Any]:
        return [one.json() for one in self.asked if one.path == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = await self._read(reader)
            if asked is None:
                return
            self.asked.append(asked)
            reply = self.replies.get(asked.path, Reply((b'{"detail":"Not Found"}',), status=404, length=True))
            answer = asyncio.ensure_future(self._answer(reply(asked) if callable(reply) else reply, writer))
            gone = asyncio.ensure_future(reader.read(1))
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                self.left.append(time.monotonic())
            for one in (answer, gone):
                one.cancel()
            await asyncio.gather(answer, gone, return_exceptions=True)
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Asked | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = first.split(" ")
        return Asked(method, path, headers, body)

    async def _answer(self, reply: Reply, writer: asyncio.StreamWriter) -> None:
        if reply.before:
            await asyncio.Event().wait()
        while reply.wait and not reply.wait.is_set():
            await asyncio.sleep(0.005)
        framing = f"content-length: {sum(map(len, reply.chunks))}" if reply.length else "transfer-encoding: chunked"
        writer.write(f"HTTP/1.1 {reply.status} X\r\ncontent-type: {reply.content_type}\r\nx-request-id: abc\r\n{framing}\r\n\r\n".encode())
        for chunk in reply.chunks:
            writer.write(chunk if reply.length else b"%x\r\n%s\r\n" % (len(chunk), chunk) if chunk else b"")
            await writer.drain()
            await asyncio.sleep(reply.pause)
        if reply.then == "hang":
            await asyncio.Event().wait()
        if reply.then == "end" and not reply.length:
            writer.write(b"0\r\n\r\n")
        await writer.drain()


@contextmanager
def running_upstream() -> Iterator[UpstreamServer]:
    """The server, listening on a free port of loopback, on a loop and thread of its own."""
    server = UpstreamServer()
    started, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def main() -> None:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        server.port = listening.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        listening.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    started.wait(5)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)
        loop.close()
