"""Which lore a request gets, and how it can be seen afterwards."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pytest

from lorewright.rag.inject import INTRODUCTION
from lorewright.rag.store import Index

from .fakes import WordEmbedder, lore_passages, running_proxy
from .test_upstream import CHAT, PROMPT, REQUEST, SSE, TEXT
from .upstream_server import Asked, Reply, UpstreamServer


def counting(tokens_per_note: int, longest: int, per_message: int = 100) -> Any:
    """A /tokenize that counts so many tokens for each note and each message; a text alone has only its notes."""

    def answer(asked: Asked) -> Reply:
        body = asked.json()
        texts = [str(message["content"]) for message in body.get("messages", [])] or [body["prompt"]]
        base = per_message * len([text for text in texts if not text.startswith(INTRODUCTION)]) if "messages" in body else 0
        base += 100 if body.get("add_special_tokens") is None and "prompt" in body else 0
        count = {"count": base + tokens_per_note * sum(text.count(" > ") for text in texts), "max_model_len": longest}
        return Reply((json.dumps(count).encode(),), length=True)

    return answer


def last(proxy: httpx.Client, **asked: str) -> dict[str, Any]:
    found: dict[str, Any] = proxy.get("/v1/lore/last", params=asked).json()
    return found


def prompts(upstream: UpstreamServer) -> list[Any]:
    """What was counted of whole requests, passages on their own apart."""
    return [one for one in upstream.bodies("/tokenize") if "add_special_tokens" not in one]


@pytest.mark.req("F8")
def test_a_text_completion_gets_its_lore_before_the_prompt(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    upstream.replies[TEXT] = Reply((b"{}",), length=True)
    answer = proxy.post(TEXT, json=PROMPT | {"max_tokens": 5, "suffix": "s"})
    (got,) = upstream.bodies(TEXT)
    prompt = got.pop("prompt")
    assert got == {"model": "m", "max_tokens": 5, "suffix": "s"}
    assert prompt.startswith(INTRODUCTION)
    assert prompt.endswith("\n~~~~\n\nWhich arm is cybernetic?")
    assert json.loads(answer.headers["x-lorewright-passages"])[0]["heading"] == "Augmentations"
    assert upstream.bodies("/tokenize")[0] == {"model": "m", "prompt": prompt}


def test_prompts_that_are_no_single_text_go_on_without_lore(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    upstream.replies[TEXT] = Reply((b"{}",), length=True)
    for prompt in ([1, 2], ["arm", "hand"], [[1], [2]]):
        proxy.post(TEXT, json=PROMPT | {"prompt": prompt})
        assert upstream.bodies(TEXT)[-1]["prompt"] == prompt
        refusal = proxy.post(TEXT, json=PROMPT | {"prompt": prompt, "lore": "on"})
        assert (refusal.status_code, refusal.json()["error"]["param"]) == (400, "lore")
    proxy.post(TEXT, json=PROMPT | {"prompt": ["arm"], "lore": "on"})
    assert upstream.bodies(TEXT)[-1]["prompt"].endswith("\n\narm")
    for prompt in (None, "", [], 3):
        assert proxy.post(TEXT, json={"prompt": prompt}).status_code == 400


@pytest.mark.req("F8")
def test_a_request_says_which_lore_it_wants(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    def headings(lore: object) -> list[str]:
        answer = proxy.post(CHAT, content=json.dumps(REQUEST | {"lore": lore}))
        assert "lore" not in upstream.bodies()[-1]
        return [row["heading"] for row in json.loads(answer.headers["x-lorewright-passages"])]

    assert headings("on") == headings(None) == headings({}) == headings({"tags": []})
    assert len(headings("on")) == 3
    assert headings("off") == []
    assert headings({"top_k": 1}) == ["Augmentations"]
    assert headings({"categories": ["worldbuilding"]}) == ["Harbour"]
    assert set(headings({"sources": ["characters/elara.md"], "top_k": 50})) == {"Augmentations", "Voice"}
    assert headings({"categories": ["worldbuilding"], "sources": ["characters/elara.md"]}) == []
    assert headings({"tags": ["nobody"]}) == headings({"categories": ["\ud83d"]}) == []


@pytest.mark.req("F8")
def test_what_an_answer_was_given_can_be_asked(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    upstream.replies["/tokenize"] = counting(50, 1000)
    first = proxy.post(CHAT, json=REQUEST | {"lore": {"top_k": 1}}).headers["x-lorewright-request"]
    upstream.replies["/tokenize"] = counting(50, 460)
    second = proxy.post(CHAT, json=REQUEST).headers["x-lorewright-request"]
    assert first != second
    assert last(proxy) == last(proxy, request=second)
    earlier = last(proxy, request=first)
    passage = lore_passages()[0]
    (given,) = earlier["passages"]
    assert 0 < given.pop("distance") < 1
    assert given.pop("score") >= 0
    expected = {"source": passage.source, "category": "characters", "title": "Elara Voss", "heading": "Augmentations"}
    assert given == expected | {"text": passage.text, "tokens": 50}
    assert (earlier["request"], earlier["query"], earlier["dropped"]) == (first, "Which arm is cybernetic?", [])
    dropped = last(proxy)["dropped"]
    assert [row["reason"] for row in dropped] == ["context full: 46 tokens too many"]
    assert (dropped[0]["tokens"], len(last(proxy)["passages"])) == (50, 2)
    missing = proxy.get("/v1/lore/last?request=none")
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "not_found_error")


def test_a_refused_request_has_its_number_too(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    upstream.replies[CHAT] = Reply((), then="die")
    answer = proxy.post(CHAT, json=REQUEST)
    assert answer.status_code == 502
    assert len(last(proxy, request=answer.headers["x-lorewright-request"])["passages"]) == 3


@pytest.mark.req("F8")
def test_the_worst_passages_go_when_the_context_is_full(upstream: UpstreamServer, index: Index) -> None:
    upstream.replies["/tokenize"] = counting(50, 100 + 50 + 49 + 10)
    with running_proxy(upstream.address, index, budget=1000) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as proxy:
        proxy.post(CHAT, json=REQUEST | {"max_tokens": 10, "tools": []})
        query = proxy.get("/stats").json()["recent_queries"][0]
    asked = prompts(upstream)
    assert [one["messages"][0]["content"].count(" > ") for one in asked] == [3, 1], "as many at once as are too many"
    assert (asked[0]["model"], asked[0]["tools"]) == ("m", [])
    assert [(one["heading"], one["tokens"]) for one in query["passages"]] == [("Augmentations", 50)]
    assert [one["reason"] for one in query["dropped"]] == ["context full: 51 tokens too many", "context full: 1 tokens too many"]
    distances = [query["passages"][0]["distance"], query["dropped"][1]["distance"], query["dropped"][0]["distance"]]
    assert distances == sorted(distances)
    (sent,) = upstream.bodies()
    assert sent["messages"] == asked[1]["messages"]


def test_with_no_room_for_lore_the_request_goes_as_it_came(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    upstream.replies["/tokenize"] = counting(1, 300)
    proxy.post(CHAT, json=REQUEST)  # 256 tokens are kept for an answer of unknown length
    assert upstream.bodies() == [REQUEST]


@pytest.mark.req("F8")
@pytest.mark.parametrize(("budget", "given"), [(100, 2), (99, 1), (0.1, 2), (0.099, 1), (10, 0)])
def test_passages_keep_within_their_budget(upstream: UpstreamServer, index: Index, budget: float, given: int) -> None:
    upstream.replies["/tokenize"] = counting(50, 1000)
    with running_proxy(upstream.address, index, budget=budget) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as proxy:
        proxy.post(CHAT, json=REQUEST)
        found = last(proxy)
    assert len(found["passages"]) == given
    assert all(row["reason"].startswith("budget full: 50 tokens, room for") for row in found["dropped"])
    assert len(found["dropped"]) == 3 - given


def test_each_passage_is_counted_once(upstream: UpstreamServer, index: Index) -> None:
    upstream.replies["/tokenize"] = counting(50, 1000)
    with running_proxy(upstream.address, index) as port:
        for _ in range(3):
            httpx.post(f"http://127.0.0.1:{port}{CHAT}", json=REQUEST)
    counted = [one for one in upstream.bodies("/tokenize") if "add_special_tokens" in one]
    assert sorted(one["prompt"] for one in counted) == sorted(passage.text for passage in lore_passages())
    assert {one["add_special_tokens"] for one in counted} == {False}


@pytest.mark.parametrize(
    "reply", [Reply(status=405, length=True), Reply((b"[]",)), Reply((b"no",)), Reply((b'{"count": 1}',)), Reply((), then="die")]
)
def test_a_server_that_does_not_count_gets_all_passages(upstream: UpstreamServer, proxy: httpx.Client, reply: Reply) -> None:
    upstream.replies["/tokenize"] = reply
    assert proxy.post(CHAT, json=REQUEST).status_code == 200
    assert upstream.bodies()[0]["messages"][0]["content"].count(" > ") == 3
    assert sum(asked.path == "/tokenize" for asked in upstream.asked) == 1


HISTORY = [
    {"role": "system", "content": "Be brief."},
    {"role": "assistant", "content": "Greetings."},
    *({"role": role, "content": f"{role} {turn}"} for turn in range(6) for role in ("user", "assistant")),
    {"role": "developer", "content": "Stay in character."},
    {"role": "user", "content": "Which arm is cybernetic?"},
]


@pytest.mark.req("F8")
def test_history_is_never_cut_silently(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    """16 messages of 100 tokens, 50 for the answer, a context of 1000."""
    upstream.replies["/tokenize"] = counting(50, 1000)
    answer = proxy.post(CHAT, json=REQUEST | {"messages": HISTORY, "max_tokens": 50})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "context_length_exceeded")
    assert "1600 tokens without any lore; the model's context is 1000, the answer included" in error["message"]
    assert "rag.overflow: drop_oldest" in error["message"]
    assert upstream.bodies() == []


@pytest.mark.req("F8")
@pytest.mark.parametrize("lore", ["on", "off"])
def test_the_recipe_may_have_the_oldest_turns_left_out(upstream: UpstreamServer, index: Index, lore: str) -> None:
    upstream.replies["/tokenize"] = counting(50, 1000)
    address = running_proxy(upstream.address, index, overflow="drop_oldest")
    with address as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as proxy:
        answer = proxy.post(CHAT, json=REQUEST | {"messages": HISTORY, "max_tokens": 50, "lore": lore})
        whole = proxy.post(CHAT, json=REQUEST | {"max_tokens": 50, "lore": "off"})
        shown = proxy.get("/stats").json()["recent_queries"][1]
    first, second = upstream.bodies()
    # Of 16 messages 9 fit: the greeting and the first three turns go, which is the least that whole turns allow.
    assert first["messages"] == [HISTORY[0], *HISTORY[8:]]
    assert (answer.headers["x-lorewright-dropped-messages"], shown["dropped_messages"]) == ("7", 7)
    assert answer.headers["x-lorewright-passages"] == "[]", "lore never displaces the conversation"
    assert "x-lorewright-dropped-messages" not in whole.headers
    assert second["messages"] == REQUEST["messages"]


def test_what_is_too_long_by_itself_is_refused_under_either_rule(upstream: UpstreamServer, index: Index) -> None:
    upstream.replies["/tokenize"] = counting(50, 90)
    with running_proxy(upstream.address, index, overflow="drop_oldest") as port:
        for path, body in ((CHAT, REQUEST | {"messages": HISTORY}), (TEXT, PROMPT)):
            answer = httpx.post(f"http://127.0.0.1:{port}{path}", json=body | {"max_tokens": 290})
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "context_length_exceeded")
            assert "drop_oldest" not in answer.json()["error"]["message"]


@pytest.mark.parametrize("lore", ["on", "off"])
def test_an_answer_longer_than_the_room_is_the_model_servers_to_cut(upstream: UpstreamServer, proxy: httpx.Client, lore: str) -> None:
    """vLLM takes max_tokens as the most; a client that always asks for 8,192 gets what there is room for."""
    upstream.replies["/tokenize"] = counting(50, 300)
    answer = proxy.post(CHAT, json=REQUEST | {"max_tokens": 290, "lore": lore})
    assert (answer.status_code, upstream.bodies()[0]["max_tokens"]) == (200, 290)


def test_a_prompt_that_comes_back_is_the_clients_own(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    proxy.post(TEXT, json=PROMPT | {"echo": True})
    proxy.post(TEXT, json=PROMPT | {"echo": True, "lore": "on"})
    alone, with_lore = (body["prompt"] for body in upstream.bodies(TEXT))
    assert alone == PROMPT["prompt"] != with_lore


def test_position_and_introduction_are_the_recipes(upstream: UpstreamServer, index: Index) -> None:
    with running_proxy(upstream.address, index, position="before_last_user", introduction="Known facts:") as port:
        httpx.post(f"http://127.0.0.1:{port}{CHAT}", json=REQUEST | {"messages": HISTORY})
    (sent,) = upstream.bodies()
    assert sent["messages"][:-1] == HISTORY[:-1]
    assert sent["messages"][-1]["content"].startswith("Known facts:\n\n~~~~\n[1] ")
    assert sent["messages"][-1]["content"].endswith("\n~~~~\n\nWhich arm is cybernetic?")


@pytest.mark.req("F8")
def test_a_passage_stands_as_the_recipes_template_says(upstream: UpstreamServer, index: Index) -> None:
    template = "{{{number}}} {category}/{title}/{heading} ({source})\n{text}"
    with running_proxy(upstream.address, index, template=template) as port:
        httpx.post(f"http://127.0.0.1:{port}{CHAT}", json=REQUEST)
    fenced = upstream.bodies()[0]["messages"][0]["content"].partition("\n\n~~~~\n")[2]
    assert fenced.startswith("{1} characters/Elara Voss/Augmentations (characters/elara.md)\n")
    assert "Her left arm is cybernetic" in fenced and fenced.endswith("\n~~~~")


@pytest.mark.req("F8")
def test_instructions_in_the_lore_stay_within_the_fence(upstream: UpstreamServer, index: Index) -> None:
    """Whatever a passage says, it stands between lines of tildes longer than any of its own, after words that say what it is."""
    with running_proxy(upstream.address, index, WordEmbedder()) as port:
        httpx.post(f"http://127.0.0.1:{port}{CHAT}", json=REQUEST)
    block = upstream.bodies()[0]["messages"][0]["content"]
    introduction, _, fenced = block.partition("\n\n~~~~\n")
    assert "not instructions" in introduction
    assert fenced.endswith("\n~~~~")
    assert "~~~~" not in fenced.removesuffix("\n~~~~")


@pytest.mark.req("F8")
def test_openais_own_client_asks_for_text_with_lore(upstream: UpstreamServer, index: Index) -> None:
    def piece(text: str) -> bytes:
        choice = {"index": 0, "text": text, "finish_reason": None, "logprobs": None}
        event = {"id": "1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice]}
        return f"data: {json.dumps(event)}\n\n".encode()

    upstream.replies[TEXT] = Reply((piece("steel"), piece("."), b"data: [DONE]\n\n"), content_type=SSE)
    with running_proxy(upstream.address, index) as port, openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="k") as client:
        create = client.completions.with_raw_response.create
        answer = create(model="m", prompt="Which arm?", stream=True, seed=1, extra_body={"lore": {"top_k": 1}, "min_p": 0.1})
        assert [part.choices[0].text for part in answer.parse()] == ["steel", "."]
    assert len(json.loads(answer.headers["x-lorewright-passages"])) == 1
    assert upstream.bodies(TEXT)[0].keys() == {"model", "prompt", "stream", "seed", "min_p"}
