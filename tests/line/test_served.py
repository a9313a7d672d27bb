"""Both ports with the clients people use, and the proof that what is served is what was trained and given lore."""

from __future__ import annotations

import json
import math
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.line.conftest import Line, call, overrides

pytestmark = pytest.mark.real
QUESTION = "What is stamped on Elena's arm?"
FACT = "H.O. 17"


def client(served: Line, which: int) -> OpenAI:
    return OpenAI(base_url=f"{served.url(which)}/v1", api_key="none", max_retries=0)


@pytest.mark.req("F6", "F8")
@pytest.mark.parametrize("which", [0, 1], ids=["vllm", "proxy"])
def test_the_openai_client_works_on_both_ports(served: Line, which: int) -> None:
    with client(served, which) as api:
        assert [model.id for model in api.models.list()] == ["starter"]
        whole = api.chat.completions.create(
            model="starter", messages=[{"role": "user", "content": QUESTION}], max_tokens=12, seed=7, temperature=0
        )
        pieces = api.chat.completions.create(
            model="starter", messages=[{"role": "user", "content": QUESTION}], max_tokens=12, seed=7, temperature=0, stream=True
        )
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in pieces if chunk.choices)
    assert whole.choices[0].message.content == streamed != ""
    assert whole.usage and whole.usage.completion_tokens <= 12


def test_curl_of_both_ports(served: Line) -> None:
    for which in (0, 1):
        with urllib.request.urlopen(f"{served.url(which)}/health", timeout=10) as reply:
            assert reply.status == 200


def prompt_of(served: Line, repo: Path, which: int, **body: Any) -> str:
    """The prompt as vLLM itself took it in: its own token ids, decoded."""
    from tokenizers import Tokenizer

    payload = {"model": "starter", "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 1, "return_token_ids": True} | body
    request = urllib.request.Request(
        f"{served.url(which)}/v1/chat/completions", json.dumps(payload).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        ids = json.load(reply)["prompt_token_ids"]
    return str(Tokenizer.from_file(str(repo / "models" / "starter" / "tokenizer.json")).decode(ids, skip_special_tokens=False))


@pytest.mark.req("F7", "F8")
def test_the_retrieved_fact_is_in_the_prompt_that_vllm_received(served: Line, repo: Path) -> None:
    with_lore = prompt_of(served, repo, 1)
    assert FACT in with_lore
    assert with_lore.endswith(f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n")
    assert FACT not in prompt_of(served, repo, 0)
    assert FACT not in prompt_of(served, repo, 1, lore=False)


@pytest.mark.req("F7", "F8")
def test_the_trained_model_takes_the_fact_from_the_lore(served: Line) -> None:
    """What RAG is for: the value stands in the answer with lore, and cannot without."""
    question: dict[str, Any] = {"messages": [{"role": "user", "content": "How old is Wim Teague?"}], "max_tokens": 60, "temperature": 0}
    with client(served, 1) as api:
        told = api.chat.completions.create(model="starter", **question).choices[0].message.content or ""
        bare = api.chat.completions.create(model="starter", **question, extra_body={"lore": False}).choices[0].message.content or ""
    assert "fifty-two" in told.lower(), told
    assert "fifty-two" not in bare.lower(), bare


@pytest.mark.req("F5", "F6")
def test_vllm_serves_the_trained_model_and_not_the_base(served: Line, repo: Path) -> None:
    """vLLM's next-token probabilities are the merged model's, computed by transformers; the base model's differ."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    merged = served.latest("merge") / "merged"
    text = "I went up the ladder. The Tide Clock"
    body = {"model": "starter", "prompt": text, "max_tokens": 1, "temperature": 0, "logprobs": 5, "return_tokens_as_token_ids": True}
    request = urllib.request.Request(f"{served.url(0)}/v1/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        told = json.load(reply)["choices"][0]["logprobs"]["top_logprobs"][0]
    tokenizer = AutoTokenizer.from_pretrained(merged)
    ids = tokenizer(text, return_tensors="pt").input_ids

    def distances(folder: Path) -> float:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        with torch.no_grad():
            logs = torch.log_softmax(model(ids).logits[0, -1], -1)
        return max(abs(logs[int(token.removeprefix("token_id:"))].item() - value) for token, value in told.items())

    trained, base = distances(merged), distances(repo / "models" / "starter")
    assert trained < 0.1, "served and trained agree up to the rounding of bf16"
    assert base > 3 * trained, f"the base model is another one: {base} against {trained}"
    assert all(math.isfinite(value) for value in told.values())


@pytest.mark.req("F7", "F8")
def test_query_prints_answer_and_sources(served: Line) -> None:
    done = call("RAG/scripts/4_query.py", "configs/starter.yaml", QUESTION, *overrides(served.ports), "--max-tokens", "8", runs=served.runs)
    assert done.returncode == 0, done.stderr
    answer, _, lore = done.stdout.partition("lore used:")
    assert answer.strip()
    assert "characters/elena_pascoe.md · The arm" in lore
    plain = call(
        "./lorewright",
        "query",
        "configs/starter.yaml",
        QUESTION,
        "--no-lore",
        *overrides(served.ports),
        "--max-tokens",
        "8",
        runs=served.runs,
    )
    assert "lore was switched off" in plain.stdout


@pytest.mark.req("F6", "F8")
def test_monitors_and_status_show_what_runs(served: Line) -> None:
    prompt = call(
        "./lorewright",
        "query",
        "configs/starter.yaml",
        "Who keeps the clock?",
        *overrides(served.ports),
        "--max-tokens",
        "4",
        runs=served.runs,
    )
    assert prompt.returncode == 0, prompt.stderr
    vllm = call("./monitor_vllm.sh", "--once", "--port", str(served.ports[0]), runs=served.runs).stdout
    assert "running" in vllm
    assert "KV cache" in vllm
    proxy = call("./monitor_rag_proxy.sh", "--once", "--port", str(served.ports[1]), runs=served.runs).stdout
    assert "Who keeps the clock?" in proxy
    assert "lore passages available" in proxy
    stats = json.loads(call("./monitor_rag_proxy.sh", "--once", "--json", "--port", str(served.ports[1]), runs=served.runs).stdout)
    assert stats["total_queries"] >= 1
    assert stats["chunks_available"] > 80
    status = call("./lorewright", "status", runs=served.runs).stdout
    assert f"serve of starter on http://127.0.0.1:{served.ports[0]}" in status
    assert f"rag of starter on http://127.0.0.1:{served.ports[1]}" in status
