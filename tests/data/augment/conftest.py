"""The scripted server, run in a thread of this process, and settings that ask it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lorewright.data.augment import Endpoint, augment
from lorewright.data.augment.items import Item
from lorewright.progress import Console
from lorewright.recipe.check import schema
from lorewright.recipe.model import Augment
from tests.fakes.chat_server import ChatServer


@dataclass
class Served:
    chat: ChatServer
    url: str


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """serve(reply, faults=…, slow=…): a scripted server on a port of its own, until the test ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    servers: list[asyncio.Server] = []

    def start(*words: Any, **settings: Any) -> Served:
        chat = ChatServer(*words, **settings)
        server = asyncio.run_coroutine_threadsafe(chat.start(), loop).result()
        servers.append(server)
        return Served(chat, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")

    yield start

    async def end() -> None:
        for server in servers:
            server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(end(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def settings(**changes: Any) -> Augment:
    """The recipe's defaults with some values changed; short waits, so that a hang costs a test no minute."""
    part = schema("recipe")["properties"]["data"]["properties"]["augment"]["properties"]
    defaults = {name: value["default"] for name, value in part.items() if "default" in value}
    return Augment(**defaults | {"job": "answers", "timeout": 1.0, "retries": 4} | changes)


def prompts(count: int) -> list[Item]:
    return [Item(f"p{number}", f"What does bell {number} say?", {"chart": number}) for number in range(count)]


def ask(served: Served | str, items: list[Item], folder: Path, **changes: Any) -> dict[str, Any]:
    """augment() against a served fake; key=, free=, yes= go where they belong."""
    url = served if isinstance(served, str) else served.url
    endpoint = Endpoint(url, changes.pop("model", "m"), changes.pop("key", ""), changes.pop("free", True))
    yes = changes.pop("yes", False)
    return augment(items, settings(**changes), folder, Console(), endpoint=endpoint, yes=yes)
