"""One index for all of these tests, a scripted model server, and the proxy in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from lorewright.rag.store import Index, open_index

from .browser import CHROMIUM, Browser, running_browser
from .fakes import running_proxy, write_lore
from .upstream_server import Reply, UpstreamServer, running_upstream

JSON_ANSWER = b'{"id": "1",  "object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"h\\u00e9"}}]}'


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    opened = open_index(write_lore(tmp_path_factory.mktemp("collection") / "index"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def servers(index: Index) -> Iterator[tuple[UpstreamServer, httpx.Client]]:
    """Started once: stopping a web server takes longer than most of these tests."""
    with (
        running_upstream() as server,
        running_proxy(server.address, index) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield server, client


@pytest.fixture
def upstream(servers: tuple[UpstreamServer, httpx.Client]) -> UpstreamServer:
    """The scripted server, with nothing asked yet, that answers a chat."""
    server = servers[0]
    server.replies = {"/v1/chat/completions": Reply((JSON_ANSWER,), length=True)}
    server.asked, server.left = [], []
    return server


@pytest.fixture
def proxy(servers: tuple[UpstreamServer, httpx.Client], upstream: UpstreamServer) -> httpx.Client:
    """A plain client of the proxy in front of it."""
    return servers[1]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no chromium on this machine (Debian: apt install chromium), so the page is not tried in a browser")
    with running_browser(tmp_path_factory.mktemp("profile")) as running:
        yield running
