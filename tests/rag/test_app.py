from __future__ import annotations

import asyncio
import json

import httpx
import openai
import pytest

from lorewright.errors import LorewrightError
from lorewright.rag.app import create_app
from lorewright.rag.completion import passages_header
from lorewright.rag.inject import INTRODUCTION
from lorewright.rag.store import Hit, Index

from .fakes import WordEmbedder, lore_passages, running_proxy, settings
from .test_upstream import CHAT, EVENTS, REQUEST, SSE
from .upstream_server import Reply, UpstreamServer


@pytest.mark.req("F8")
def test_passages_are_injected_and_all_else_is_kept(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    request = REQUEST | {"top_p": 0.1, "stop": ["x"], "seed": 7, "tools": [{"type": "function"}], "vllm_xargs": {"deep": [None, 1e-7]}}
    answer = proxy.post(CHAT, json=request)
    (got,) = upstream.bodies()
    system, user = got.pop("messages")
    assert got == {name: value for name, value in request.items() if name != "messages"}
    assert user == REQUEST["messages"][0]
    assert system["role"] == "system"
    assert system["content"].startswith(INTRODUCTION)
    assert "Her left arm is cybernetic" in system["content"]
    header = json.loads(answer.headers["x-lorewright-passages"])
    assert header[0].keys() == {"source", "heading", "distance"}
    assert (header[0]["source"], header[0]["heading"]) == ("characters/elara.md", "Augmentations")


@pytest.mark.req("F8")
def test_stats_show_what_was_asked_and_found(upstream: UpstreamServer, index: Index) -> None:
    with running_proxy(upstream.address, index) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as proxy:
        none = {"count": 0, "p50": None, "p95": None, "p99": None}
        empty = {"recipe": "r", "total_queries": 0, "chunks_available": 3, "recent_queries": [], "active": 0, "waiting": 0}
        empty |= {"latency_ms": {"retrieval": none, "first_byte": none, "total": none}}
        assert proxy.get("/stats").json() == empty | {
            "collection": dict(index.stamp),
            "index": index.folder.parent.name,
            "index_refused": None,
        }
        for number in range(52):
            proxy.post(CHAT, json=REQUEST | {"messages": [{"role": "user", "content": f"harbour {number}"}]})
        upstream.replies[CHAT] = Reply((EVENTS,), content_type=SSE)
        proxy.post(CHAT, json=REQUEST | {"stream": True})
        stats = proxy.get("/stats").json()
    assert (stats["total_queries"], len(stats["recent_queries"])) == (53, 50)
    newest, before = stats["recent_queries"][:2]
    assert (newest["question"], newest["streamed"], newest["status"]) == ("Which arm is cybernetic?", True, 200)
    assert (before["question"], before["streamed"]) == ("harbour 51", False)
    passage = before["passages"][0]
    assert 0 < passage.pop("distance") < 1
    passage.pop("score")
    assert passage == {"source": "worldbuilding/city.md", "heading": "Harbour", "category": "worldbuilding", "tokens": None}
    assert newest["total_ms"] >= newest["first_byte_ms"] > newest["retrieval_ms"] >= 0
    for latency in stats["latency_ms"].values():
        assert latency["count"] == 53
        assert 0 <= latency["p50"] <= latency["p95"] <= latency["p99"]


@pytest.mark.parametrize("off", [False, "off"])
def test_lore_can_be_switched_off(upstream: UpstreamServer, proxy: httpx.Client, off: object) -> None:
    answer = proxy.post(CHAT, json=REQUEST | {"lore": off})
    assert upstream.bodies() == [REQUEST]
    assert answer.headers["x-lorewright-passages"] == "[]"
    proxy.post(CHAT, json=REQUEST | {"lore": True})
    assert "lore" not in upstream.bodies()[1]
    assert len(upstream.bodies()[1]["messages"]) == 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b"{}", "messages must be"),
        (b'{"messages": []}', "messages must be"),
        (b'{"messages": ["hi"]}', "messages must be"),
        (b'{"messages": [{}], "lore": 1}', "lore must be"),
        (b'{"messages": [{}], "lore": []}', "lore must be"),
        (b'{"messages": [{}], "lore": {"top_k": 0}}', "lore.top_k must be"),
        (b'{"messages": [{}], "lore": {"top_k": true}}', "lore.top_k must be"),
        (b'{"messages": [{}], "lore": {"categories": "a"}}', "lore.categories must be"),
        (b'{"messages": [{}], "lore": {"limit": 2}}', "lore takes top_k"),
        (b'{"messages": [{}], "temperature": NaN}', "NaN is no JSON number"),
    ],
)
def test_what_is_no_chat_request_is_a_400_in_openais_shape(upstream: UpstreamServer, proxy: httpx.Client, body: bytes, said: str) -> None:
    answer = proxy.post(CHAT, content=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert said in answer.json()["error"]["message"]
    assert upstream.asked == []


def test_odd_messages_are_upstreams_to_judge(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    for messages in ([{}], [{"role": "user", "content": 3}], [{"role": "user", "content": ["x", {"type": "text", "text": 1}]}]):
        proxy.post(CHAT, json={"messages": messages})
        assert upstream.bodies()[-1] == {"messages": messages}


def test_half_a_surrogate_pair_goes_through(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    proxy.post(CHAT, content=rb'{"messages": [{"role": "user", "content": "Elara \ud83d"}]}')
    assert rb"Elara \ud83d" in upstream.asked[-1].body
    assert proxy.get("/stats").json()["recent_queries"][0]["question"] == "Elara ?"


def test_other_paths_are_refused_in_openais_shape(proxy: httpx.Client) -> None:
    for answer in (proxy.post("/v1/audio"), proxy.get("/docs"), proxy.get("/redoc")):
        assert answer.status_code == 404
        assert "this proxy has POST /v1/chat/completions, POST /v1/completions" in answer.json()["error"]["message"]
    assert proxy.get(CHAT).status_code == 405


def test_a_bug_is_a_500_in_openais_shape(upstream: UpstreamServer, index: Index) -> None:
    calls: list[int] = []

    def gate() -> None:
        calls.append(1)
        if len(calls) > 1:
            raise ZeroDivisionError

    with running_proxy(upstream.address, index, WordEmbedder(gate)) as port:
        answer = httpx.post(f"http://127.0.0.1:{port}{CHAT}", json=REQUEST)
        assert (answer.status_code, answer.json()["error"]["type"]) == (500, "server_error")
        assert httpx.get(f"http://127.0.0.1:{port}/stats").json()["recent_queries"][0]["error"] == "ZeroDivisionError"


def test_an_embedder_that_does_not_fit_the_index_is_refused(index: Index) -> None:
    embedder = WordEmbedder()
    embedder.dimension = 65
    with pytest.raises(LorewrightError, match="ingest the lore again"):
        create_app(settings("http://u"), embedder=embedder, index=index)


def test_the_header_stays_small() -> None:
    hits = [Hit(passage, 0.123456) for passage in lore_passages() * 40]
    header = passages_header(hits)
    assert 3500 < len(header) <= 4096
    assert json.loads(header)[0] == {"source": "characters/elara.md", "heading": "Augmentations", "distance": 0.1235}


def chunk(content: str) -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": None}
    body = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


@pytest.mark.req("F8")
def test_openais_own_client_works(upstream: UpstreamServer, index: Index) -> None:
    async def converse(port: int) -> tuple[str | None, list[str | None], str]:
        async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="k", max_retries=0) as client:
            ask = client.chat.completions.create
            whole = await ask(model="m", messages=[{"role": "user", "content": "Elara?"}], extra_body={"lore": True})
            upstream.replies[CHAT] = Reply((chunk("a"), chunk("b"), b"data: [DONE]\n\n"), content_type=SSE)
            stream = await ask(model="m", messages=[{"role": "user", "content": "Elara?"}], stream=True)
            pieces = [piece.choices[0].delta.content async for piece in stream]
            upstream.replies[CHAT] = Reply((chunk("a"), b'data: {"hal'), content_type=SSE, then="die")
            try:
                async for _ in await ask(model="m", messages=[{"role": "user", "content": "Elara?"}], stream=True):
                    pass
                return whole.choices[0].message.content, pieces, ""
            except openai.APIError as problem:
                return whole.choices[0].message.content, pieces, problem.message

    with running_proxy(upstream.address, index) as port:
        content, pieces, error = asyncio.run(converse(port))
    assert (content, pieces) == ("hé", ["a", "b"])
    assert "broke off" in error
