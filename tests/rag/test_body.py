"""What may stand in a request: known fields, of bounded size."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any, get_type_hints

import httpx
import pytest
from openai.types import completion_create_params, embedding_create_params
from openai.types.chat import completion_create_params as chat_create_params

from lorewright import envs
from lorewright.rag.body import deeper_than
from lorewright.rag.fields import CHAT_FIELDS, COMPLETION_FIELDS, EMBEDDING_FIELDS, LEFT_OUT
from lorewright.rag.store import Index
from lorewright.recipe.model import Limits

from .conftest import JSON_ANSWER
from .fakes import running_proxy
from .test_upstream import CHAT, PROMPT, REQUEST, TEXT
from .upstream_server import Reply, UpstreamServer


def refused(proxy: httpx.Client, body: dict[str, Any], path: str = CHAT) -> dict[str, Any]:
    answer = proxy.post(path, content=json.dumps(body))
    assert answer.status_code == 400
    error: dict[str, Any] = answer.json()["error"]
    return error


@pytest.mark.req("F8")
def test_an_unknown_field_is_named_with_what_to_do(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    error = refused(proxy, REQUEST | {"temprature": 1})
    assert (error["param"], error["code"], error["type"]) == ("temprature", "unknown_parameter", "invalid_request_error")
    assert "did you mean temperature?" in error["message"]
    assert "rag.extra_fields" in error["message"]
    assert "unknown field prompt" in refused(proxy, REQUEST | {"prompt": "x"})["message"], "each route has its own"
    assert "unknown field messages" in refused(proxy, PROMPT | {"messages": []}, TEXT)["message"]
    assert "unknown field kv_transfer_params" in refused(proxy, REQUEST | {"kv_transfer_params": {}})["message"]
    assert refused(proxy, REQUEST | {"\ud83d" * 200: 1})["param"] == "?" * 80
    assert upstream.asked == []


def test_the_recipe_may_allow_further_fields(upstream: UpstreamServer) -> None:
    for extra in (("mine",), ("*",)):
        with running_proxy(upstream.address, extra_fields=extra) as port:
            assert httpx.post(f"http://127.0.0.1:{port}{CHAT}", json=REQUEST | {"mine": [1]}).status_code == 200
            other = httpx.post(f"http://127.0.0.1:{port}{CHAT}", json=REQUEST | {"other": 1}).status_code
            assert other == (400 if extra == ("mine",) else 200)
        assert upstream.bodies()[-1].get("mine", upstream.bodies()[-1].get("other"))


@pytest.mark.req("F8")
def test_every_field_of_openais_api_is_forwarded() -> None:
    chat = set(get_type_hints(chat_create_params.CompletionCreateParamsBase)) | {"stream"}
    text = set(get_type_hints(completion_create_params.CompletionCreateParamsBase)) | {"stream"}
    assert chat <= CHAT_FIELDS
    assert text <= COMPLETION_FIELDS
    assert set(get_type_hints(embedding_create_params.EmbeddingCreateParams)) <= EMBEDDING_FIELDS


@pytest.mark.real
def test_every_field_of_vllm_is_forwarded_or_left_out_on_purpose() -> None:
    """Read from the source of the pinned vLLM, whose import takes half a minute."""
    (package,) = envs.ensure("serve").path.glob("lib/python3*/site-packages/vllm/entrypoints")
    for file, name, known in (
        ("openai/chat_completion/protocol.py", "ChatCompletionRequest", CHAT_FIELDS),
        ("openai/completion/protocol.py", "CompletionRequest", COMPLETION_FIELDS),
    ):
        fields = class_fields(package / file, name)
        assert len(fields) > 50
        assert fields - known - LEFT_OUT == set()


def class_fields(file: Path, name: str) -> set[str]:
    tree = ast.parse(file.read_text())
    (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    named = [node.target.id for node in found.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
    return {one for one in named if not one.startswith("_")}


@pytest.mark.req("F8")
def test_what_can_hurt_has_a_limit_that_the_error_names(upstream: UpstreamServer) -> None:
    upstream.replies[TEXT] = Reply((b"{}",), length=True)
    limits = Limits(answers=4, max_tokens=100, depth=5, body_mb=0.001)
    with running_proxy(upstream.address, limits=limits) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as proxy:
        assert "rag.limits.answers" in refused(proxy, REQUEST | {"n": 5})["message"]
        assert "rag.limits.answers" in refused(proxy, PROMPT | {"best_of": 5}, TEXT)["message"]
        assert "prompts times n" in refused(proxy, PROMPT | {"prompt": ["a", "b", "c"], "n": 2}, TEXT)["message"]
        assert refused(proxy, REQUEST | {"max_completion_tokens": 101})["param"] == "max_completion_tokens"
        assert "rag.limits.depth" in refused(proxy, REQUEST | {"tools": [{"a": {"b": {"c": {}}}}]})["message"]
        for name in ("n", "max_tokens"):
            for value in ("5", 1.5, True, -1, []):
                assert "whole number" in refused(proxy, REQUEST | {name: value})["message"]
        too_long = proxy.post(CHAT, json=REQUEST | {"user": "x" * 1000})
        assert (too_long.status_code, too_long.json()["error"]["type"]) == (413, "invalid_request_error")
        assert proxy.post(CHAT, content=iter([b"x" * 600, b"x" * 600])).status_code == 413, "without a length said before"
        assert upstream.asked == []
        assert proxy.post(TEXT, json=PROMPT | {"prompt": [1, 2, 3, 4, 5, 6]}).status_code == 200, "tokens are one prompt"


def test_a_request_that_names_no_length_gets_the_longest(upstream: UpstreamServer) -> None:
    with running_proxy(upstream.address, limits=Limits(max_tokens=100)) as port:
        for given, sent in (({}, 100), ({"max_tokens": 7}, 7), ({"max_tokens": None}, 100)):
            httpx.post(f"http://127.0.0.1:{port}{CHAT}", json=REQUEST | given)
            assert upstream.bodies()[-1]["max_tokens"] == sent


def test_a_whole_number_may_be_written_with_a_point(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    """JSON has one kind of number, and some clients write all of them like this."""
    assert proxy.post(CHAT, json=REQUEST | {"n": 2.0, "max_tokens": 7.0, "lore": {"top_k": 2.0}}).status_code == 200
    sent = upstream.bodies()[-1]
    assert (sent["n"], sent["max_tokens"]) == (2, 7)
    assert len(json.loads(proxy.post(CHAT, json=REQUEST | {"lore": {"top_k": 2.0}}).headers["x-lorewright-passages"])) == 2
    assert "whole number" in refused(proxy, REQUEST | {"lore": {"top_k": 2.5}})["message"]


def test_depth_is_counted_in_levels() -> None:
    assert not deeper_than({}, 1)
    assert deeper_than({"a": []}, 1)
    assert not deeper_than({"a": ["b", {"c": 1}]}, 3)
    assert deeper_than({"a": ["b", {"c": 1}]}, 2)


def test_a_body_without_changes_is_forwarded_byte_for_byte(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    upstream.replies[TEXT] = Reply((JSON_ANSWER,), length=True)
    sent = b'{ "prompt":[1, 2],  "model":"m", "temperature":1e-1}'
    assert proxy.post(TEXT, content=sent).content == JSON_ANSWER
    assert upstream.asked[-1].body == sent
    proxy.post(TEXT, content=b'{"lore": "off", "prompt": "\\ud83d", "seed": 12345678901234567890}')
    assert json.loads(upstream.asked[-1].body) == {"prompt": "\ud83d", "seed": 12345678901234567890}


@pytest.mark.parametrize("lore", ["on", "off"])
def test_megabytes_of_pictures_go_through(upstream: UpstreamServer, index: Index, lore: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4_000_000}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "Which arm?"}, picture]}]
    sent = json.dumps(REQUEST | {"messages": messages, "lore": lore}).encode()
    with running_proxy(upstream.address, index) as port:
        assert httpx.post(f"http://127.0.0.1:{port}{CHAT}", content=sent).status_code == 200
    assert upstream.bodies()[-1]["messages"][-1] == messages[0]
