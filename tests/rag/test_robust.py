"""Whatever is sent, the proxy answers for itself: never a 500. Deep within messages, lore and texts, and bytes that are no JSON; what
the description itself allows and forbids is test_described.py's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lorewright.rag.openapi import description
from lorewright.rag.store import Index

from .fakes import running_proxy
from .test_upstream import CHAT, TEXT
from .upstream_server import Reply, UpstreamServer, running_upstream

PATHS = {path: methods["post"] for path, methods in description()["paths"].items() if "post" in methods}
EXAMPLES: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "Elara?"}]}],
    "prompt": "Which arm?",
    "input": ["Which arm?"],
    "lore": {"top_k": 2, "categories": ["characters"], "sources": ["characters/elara.md"], "tags": []},
    "max_tokens": 5,
    "n": 1,
    "stream": False,
}
SETTINGS = settings(max_examples=130, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
words = st.text(max_size=8) | st.sampled_from(["user", "text", "content", "role", "\ud83d", "~~~~", "lore", "top_k"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=12)


@pytest.fixture(scope="module")
def proxy(index: Index) -> Iterator[httpx.Client]:
    with (
        running_upstream() as server,
        running_proxy(server.address, index) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        _answering(server)
        yield client


def _answering(server: UpstreamServer) -> None:
    count = Reply((b'{"count": 10, "max_model_len": 400}',), length=True)
    # No embeddings: the lore's own embedder answers those.
    server.replies = {"/tokenize": count, **{path: Reply(length=True) for path in (CHAT, TEXT, "/v1/models")}}


def fields_of(path: str) -> dict[str, Any]:
    fields: dict[str, Any] = PATHS[path]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    return fields


@st.composite
def mutated(draw: st.DrawFn, path: str) -> dict[str, Any]:
    """A request that is right but for a few spots, deep within those fields that the proxy reads."""
    body = {name: value for name, value in EXAMPLES.items() if name in fields_of(path)}
    for _ in range(draw(st.integers(1, 4))):
        body = changed_within(draw, body) if body else {}
    return body


def changed_within(draw: st.DrawFn, value: Any) -> Any:
    """The value with one spot in it gone, or any other value there."""
    if isinstance(value, dict) and value:
        name = draw(st.sampled_from(sorted(value)))
        rest = {key: kept for key, kept in value.items() if key != name}
        return rest if draw(st.integers(0, 5)) == 0 else rest | {name: changed_or_other(draw, value[name])}
    if isinstance(value, list) and value:
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], changed_or_other(draw, value[at]), *value[at + 1 :]]
    return draw(values)


def changed_or_other(draw: st.DrawFn, value: Any) -> Any:
    return changed_within(draw, value) if draw(st.booleans()) else draw(values)


@pytest.mark.req("F8")
@pytest.mark.parametrize("path", PATHS)
def test_no_body_is_a_500(proxy: httpx.Client, path: str) -> None:
    statuses: set[int] = set()

    @SETTINGS
    @given(mutated(path))
    def send(body: dict[str, Any]) -> None:
        answer = proxy.post(path, content=json.dumps(body).encode())
        statuses.add(answer.status_code)
        assert answer.status_code in (200, 400), answer.text
        if answer.status_code == 400:
            assert set(answer.json()["error"]) == {"message", "type", "param", "code"}

    send()
    assert statuses == {200, 400}, "both kinds were tried"


@pytest.mark.req("F8")
def test_no_bytes_are_a_500(proxy: httpx.Client) -> None:
    @SETTINGS
    @given(st.sampled_from(sorted(PATHS)), st.binary(max_size=60))
    def send(path: str, body: bytes) -> None:
        assert proxy.post(path, content=body).status_code == 400

    send()


def test_a_request_that_is_right_is_answered(proxy: httpx.Client) -> None:
    for path in PATHS:
        body = {name: value for name, value in EXAMPLES.items() if name in fields_of(path)}
        assert proxy.post(path, json=body).status_code == 200, path


@pytest.mark.req("F8")
def test_the_description_names_the_routes_that_there_are(proxy: httpx.Client) -> None:
    served = proxy.get("/openapi.json").json()
    assert served == description()
    for path, methods in served["paths"].items():
        for method in ("get", "post"):
            assert (proxy.request(method, path).status_code == 405) == (method not in methods), path
