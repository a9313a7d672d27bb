"""A scripted OpenAI-compatible server on loopback: answers by rule, with a seeded share of faults, and counts what it answered well.

    python tests/fakes/chat_server.py [--port 0] [--faults 0.05] [--seed 1] [--slow 0.0] [--style answers|qa]

prints its port, then serves until it is ended. Standard library only. GET /counts tells how often each prompt was answered well, and
how many faults of each kind were made. A fault is drawn from seed, prompt and the prompt's how-manieth try, so runs repeat.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

FAULTS = ("busy", "error", "hang", "garbage", "cut")
HANG = 60.0  # seconds; longer than any client under test waits

Reply = Callable[[dict[str, Any]], "str | tuple[int, dict[str, Any]]"]  # a text to answer with, or status and body


def echo(body: dict[str, Any]) -> str:
    return f"Answer to: {prompt_of(body)}"


def questions(body: dict[str, Any]) -> str:
    """Two questions, as the job `qa` wants them, now and then in a fence or with words around them."""
    seed = sum(prompt_of(body).encode())
    found = json.dumps({"questions": [f"What becomes of the bell numbered {seed}?", f"Who keeps the tide clock of {seed}?"]})
    return (found, f"```json\n{found}\n```", f"Here they are:\n{found}\nI hope they serve.")[seed % 3]


def prompt_of(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


class ChatServer:
    """reply: makes the answer of a request body. faults: share of tries that go wrong. slow: seconds before a good answer."""

    def __init__(self, reply: Reply = echo, *, faults: float = 0.0, seed: int = 1, slow: float = 0.0) -> None:
        self.reply, self.faults, self.seed, self.slow = reply, faults, seed, slow
        self.well: Counter[str] = Counter()
        self.tries: Counter[str] = Counter()
        self.made: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.at_once = self.most_at_once = 0
        self.keep_bodies = True

    async def start(self, port: int = 0) -> asyncio.Server:
        return await asyncio.start_server(self._connection, "127.0.0.1", port, backlog=1024, limit=4_000_000)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection may be used again."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        if first.startswith("GET /counts"):
            writer.write(_http(200, json.dumps({"well": self.well, "made": self.made, "tries": self.tries.total()})))
            return True
        body = json.loads(raw)
        if self.keep_bodies:
            self.bodies.append(body)
            self.headers.append(headers)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._answer(body, writer)
        finally:
            self.at_once -= 1

    async def _answer(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
        prompt = prompt_of(body)
        self.tries[prompt] += 1
        fault = self._fault(prompt)
        if self.slow:
            await asyncio.sleep(self.slow)
        if fault:
            self.made[fault] += 1
            return await _go_wrong(fault, writer)
        answer = self.reply(body)
        if isinstance(answer, tuple):
            writer.write(_http(answer[0], json.dumps(answer[1])))
            return True
        writer.write(_http(200, json.dumps(completion(body, answer))))
        await writer.drain()
        self.well[prompt] += 1
        return True

    def _fault(self, prompt: str) -> str:
        draw = random.Random(f"{self.seed} {self.tries[prompt]} {prompt}")
        return draw.choice(FAULTS) if draw.random() < self.faults else ""


def completion(body: dict[str, Any], text: str) -> dict[str, Any]:
    usage = {"prompt_tokens": len(prompt_of(body)) // 4 + 1, "completion_tokens": len(text) // 4 + 1}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice], "usage": usage}


async def _go_wrong(fault: str, writer: asyncio.StreamWriter) -> bool:
    if fault == "busy":
        writer.write(_http(429, '{"error": {"message": "slow down"}}', "retry-after: 0.05\r\n"))
    elif fault == "error":
        writer.write(_http(500, "<html>oops</html>"))
    elif fault == "garbage":
        writer.write(_http(200, '{"choices": [{"mess'))
    elif fault == "cut":
        writer.write(_http(200, '{"choices": [{"message": {"content": "half of it"}}]}')[:-20])
        await writer.drain()
        return False
    else:
        await asyncio.sleep(HANG)
        return False
    return True


def _http(status: int, body: str, more: str = "") -> bytes:
    raw = body.encode()
    return f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{more}content-length: {len(raw)}\r\n\r\n".encode() + raw


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slow", type=float, default=0.0)
    parser.add_argument("--style", choices=["answers", "qa"], default="answers")
    given = parser.parse_args()
    chat = ChatServer(echo if given.style == "answers" else questions, faults=given.faults, seed=given.seed, slow=given.slow)
    chat.keep_bodies = False
    server = await chat.start(given.port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
