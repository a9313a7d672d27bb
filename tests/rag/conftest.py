"""One index for all of these tests, a scripted model server, and the proxy in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from lorewright.rag.store import Index, open_index

from .fakes import running_proxy, write_lore
from .upstream_server import Reply, UpstreamServer, running_upstream

JSON_ANSWER = b'{"id": "1",  "object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"h\\u00e9"}}]}'


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    opened = open_index(write_lore(tmp_path_factory.mktemp("collection") / "index"))
    yield opened
    opened.close()


@pytest.fixture
def upstream() -> Iterator[UpstreamServer]:
    with running_upstream() as server:
        server.replies["/v1/chat/completions"] = Reply((JSON_ANSWER,), length=True)
        yield server


@pytest.fixture
def proxy(upstream: UpstreamServer, index: Index) -> Iterator[httpx.Client]:
    """A plain client of a proxy between it and the scripted server."""
    with running_proxy(upstream.address, index) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client
