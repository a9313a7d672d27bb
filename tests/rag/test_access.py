"""Keys, host names and origins."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from lorewright import chat
from lorewright.errors import LorewrightError
from lorewright.rag.access import Guard
from lorewright.rag.app import create_app
from lorewright.rag.keys import api_keys, is_loopback, require_key

from .fakes import running_proxy, settings
from .test_upstream import CHAT, REQUEST
from .upstream_server import Reply, UpstreamServer


@contextmanager
def client(upstream: UpstreamServer, **changes: object) -> Iterator[httpx.Client]:
    with running_proxy(upstream.address, **changes) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as proxy:
        yield proxy


@pytest.mark.req("F8")
def test_with_keys_only_who_has_one_is_answered(
    upstream: UpstreamServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setenv("LOREWRIGHT_API_KEYS", "first-key, sécond-key")
    monkeypatch.setenv("VLLM_API_KEY", "vllm-key")
    with client(upstream) as proxy:
        for path in ("/v1/models", "/stats", "/metrics", "/v1/lore/last", "/page", "/nowhere"):
            assert proxy.get(path).status_code == 401, path
        for header in ("", "Bearer", "Bearer first", "Bearer first-key2", "Basic first-key", "first-key", b"Bearer \xff"):
            answer = proxy.post(CHAT, json=REQUEST, headers={"authorization": header})
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert upstream.asked == []
        for key in ("Bearer first-key", "bearer  sécond-key".encode()):
            assert proxy.post(CHAT, json=REQUEST, headers={"authorization": key}).status_code == 200
            assert upstream.asked[-1].headers["authorization"] == "Bearer vllm-key", "the model server's own key, never the proxy's"
        for path in ("/health", "/ready", "/openapi.json"):
            assert proxy.get(path).status_code != 401, path
        assert "first-key" not in proxy.get("/stats", headers={"authorization": "Bearer first-key"}).text
    assert "first-key" not in caplog.text
    assert "first-key" not in repr(Guard(lambda *_: None, "h", keys=("first-key",)))  # type: ignore[arg-type, return-value]


def test_without_keys_the_clients_own_goes_to_the_model_server(upstream: UpstreamServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOREWRIGHT_API_KEYS", " ,")
    assert api_keys() == ()
    with client(upstream) as proxy:
        proxy.post(CHAT, json=REQUEST, headers={"authorization": "Bearer mine"})
        assert upstream.asked[-1].headers["authorization"] == "Bearer mine"


def test_an_address_others_can_reach_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOREWRIGHT_API_KEYS", raising=False)
    for host in ("127.0.0.1", "127.0.0.2", "::1", "localhost", "LOCALHOST"):
        assert is_loopback(host)
        require_key(host, ())
    for host in ("0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "writer.lan", ""):
        with pytest.raises(LorewrightError, match="LOREWRIGHT_API_KEYS"):
            create_app(settings("http://u", host=host))
        require_key(host, ("key",))


@pytest.mark.req("F8")
def test_a_name_that_is_not_ours_is_refused(upstream: UpstreamServer) -> None:
    """A web page can let its own name lead to this machine, and would then read what a local program says."""
    with client(upstream, allowed_hosts=("Writer.lan",)) as proxy:
        for host in ("localhost", "localhost:8001", "127.0.0.1:1", "[::1]:8001", "LOCALHOST.", "writer.lan:80"):
            assert proxy.get("/health", headers={"host": host}).status_code == 200, host
        for host in ("evil.example", "localhost.evil.example:8001", "10.0.0.1", "127.0.0.1.evil.example", "", "[::2]", "a@localhost"):
            answer = proxy.get("/health", headers={"host": host})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "host_not_allowed"), host
            assert "rag.allowed_hosts" in answer.json()["error"]["message"]
    guard = Guard(lambda *_: None, "127.0.0.1")  # type: ignore[arg-type, return-value]
    assert refusal(guard, (b"host", b"localhost"), (b"host", b"evil.example"))
    assert refusal(guard), "none at all"


def test_bound_to_all_addresses_each_of_them_is_ours() -> None:
    guard = Guard(lambda *_: None, "0.0.0.0", keys=("k",))  # type: ignore[arg-type, return-value]
    ours = [host for host in ("10.0.0.1", "[fe80::1]:80", "evil.example", "localhost") if not refusal(guard, (b"host", host.encode()))]
    assert ours == ["10.0.0.1", "[fe80::1]:80", "localhost"]


def refusal(guard: Guard, *headers: tuple[bytes, bytes]) -> object:
    return guard._refusal("/health", "GET", headers)


@pytest.mark.req("F8")
def test_pages_of_other_origins_are_refused_unless_listed(upstream: UpstreamServer) -> None:
    upstream.replies["/v1/models"] = Reply(length=True)
    with client(upstream, cors_origins=("http://localhost:3000",)) as proxy:
        own = str(proxy.base_url).rstrip("/")
        for origin in ("http://evil.example", "https://localhost:3000", "null", "http://127.0.0.1:1"):
            for answer in (proxy.get("/v1/models", headers={"origin": origin}), proxy.post(CHAT, json=REQUEST, headers={"origin": origin})):
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin_not_allowed"), origin
                assert "access-control-allow-origin" not in answer.headers
        assert upstream.asked == []
        for origin in (own, "app://obsidian.md", "http://localhost:3000"):
            assert proxy.get("/v1/models", headers={"origin": origin}).status_code == 200
        listed = proxy.post(CHAT, json=REQUEST, headers={"origin": "http://localhost:3000"})
        assert listed.headers["access-control-allow-origin"] == "http://localhost:3000"
        assert "x-lorewright-passages" in listed.headers["access-control-expose-headers"]
        asked = {
            "origin": "http://localhost:3000",
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        }
        assert proxy.options(CHAT, headers=asked).status_code == 200
        assert proxy.options(CHAT, headers=asked | {"origin": "http://evil.example"}).status_code == 400


def test_cors_is_off_by_default(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    asked = {"origin": "http://localhost:3000", "access-control-request-method": "POST"}
    answer = proxy.options(CHAT, headers=asked)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_our_own_client_sends_the_key(upstream: UpstreamServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOREWRIGHT_API_KEYS", "first-key,other")
    with running_proxy(upstream.address) as port:
        assert asyncio.run(chat.ask(f"http://127.0.0.1:{port}/v1", "m", "Why?")).text == "hé"
    assert "authorization" not in upstream.asked[-1].headers
