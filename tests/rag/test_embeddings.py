"""POST /v1/embeddings: the served model's, else the lore embedder's."""

from __future__ import annotations

import asyncio

import httpx
import numpy as np
import openai
import pytest

from lorewright.rag.store import Index

from .fakes import DIMENSION, WordEmbedder, running_proxy
from .upstream_server import Reply, UpstreamServer

PATH = "/v1/embeddings"


@pytest.mark.req("F8")
def test_a_served_model_that_embeds_is_asked(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    upstream.replies[PATH] = Reply((b'{"data": [1]}',), length=True)
    body = {"model": "m", "input": [[1, 2]], "dimensions": 4}
    assert proxy.post(PATH, json=body).content == b'{"data": [1]}'
    assert upstream.bodies(PATH) == [body]
    upstream.replies[PATH] = Reply((b'{"error": {"message": "no such model"}}',), status=404, length=True)
    answer = proxy.post(PATH, json=body)
    assert (answer.status_code, answer.content) == (404, b'{"error": {"message": "no such model"}}'), "its own refusal stands"


@pytest.mark.req("F8")
def test_else_the_lore_embedder_answers_under_its_own_name(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    texts = [f"Elara {number}" for number in range(19)]
    answer = proxy.post(PATH, json={"model": "m", "input": texts}).json()
    assert (answer["object"], answer["model"], answer["usage"]["total_tokens"]) == ("list", "words", 38)
    assert [row["index"] for row in answer["data"]] == list(range(19))
    assert np.allclose([row["embedding"] for row in answer["data"]], WordEmbedder().passages(texts))
    upstream.asked.clear()
    assert proxy.post(PATH, json={"model": "words", "input": "x"}).json()["model"] == "words"
    assert upstream.asked == [], "asked by its name, nobody else needs to be"
    assert "/v1/embeddings" not in {query["path"] for query in proxy.get("/stats").json()["recent_queries"]}, "it is no question"


def test_openais_own_client_reads_it(upstream: UpstreamServer, index: Index) -> None:
    async def embed(port: int) -> list[float]:
        async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="k", max_retries=0) as client:
            return (await client.embeddings.create(model="words", input="Elara")).data[0].embedding  # it asks for base64

    with running_proxy(upstream.address, index) as port:
        got = asyncio.run(embed(port))
    assert len(got) == DIMENSION
    assert np.allclose(got, WordEmbedder().query("Elara"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "input must be"),
        ({"input": []}, "input must be"),
        ({"input": [""]}, "input must be"),
        ({"input": [1, 2]}, "input must be"),
        ({"input": ["x"] * 2049}, "input must be"),
        ({"input": "x", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "x", "dimensions": 5}, "dimensions: words has 64"),
        ({"input": "x", "imput": 5}, "did you mean input?"),
    ],
)
def test_what_cannot_be_embedded_is_a_400(upstream: UpstreamServer, proxy: httpx.Client, body: dict[str, object], said: str) -> None:
    answer = proxy.post(PATH, json={"model": "words"} | body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


def test_without_any_embedder_upstreams_answer_stands(upstream: UpstreamServer) -> None:
    with running_proxy(upstream.address, embedder=None, lore=False) as port:
        assert httpx.post(f"http://127.0.0.1:{port}{PATH}", json={"input": "x"}).status_code == 404
