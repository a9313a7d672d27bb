"""A scripted model server for load tests, a process of its own: it answers at once, or streams numbered events by the clock.

Use: python benchmarks/scripted_model.py; it prints its port. A request's `max_tokens` is the number of events of a stream, ten a
second; each carries its number and when it was sent (CLOCK_MONOTONIC, which all processes share), the last one a digest of all.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import sys
import time

EVERY = 0.1  # seconds between two events
ANSWER = (
    b'{"id":"1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Yes."},"finish_reason":"stop"}]}'
)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n%s\r\n\r\n"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            body = json.loads(await reader.readexactly(length) or b"{}")
            if body.get("stream"):
                await stream(writer, int(body["max_tokens"]))
            else:
                writer.write(HEAD % (b"application/json", b"content-length: %d" % len(ANSWER)) + ANSWER)
            await writer.drain()
            if b"connection: close" in lines:
                break
    writer.close()


async def stream(writer: asyncio.StreamWriter, events: int) -> None:
    writer.write(HEAD % (b"text/event-stream", b"transfer-encoding: chunked"))
    digest, begun = hashlib.sha256(), time.monotonic()
    for number in range(events):
        await asyncio.sleep(max(0.0, begun + number * EVERY - time.monotonic()))
        event = b'data: {"choices":[{"index":0,"delta":{"content":"word%d "}}],"number":%d,"sent":%.6f}\n\n' % (
            number,
            number,
            time.monotonic(),
        )
        digest.update(event)
        writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        await writer.drain()
    last = b'data: {"sha256":"%s"}\n\ndata: [DONE]\n\n' % digest.hexdigest().encode()
    writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(last), last))


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
    sys.exit(0)
