"""What docs/clients.md tells people to write, run against the proxy; and what SillyTavern sends to a vLLM server."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest
import yaml

from lorewright.rag.store import Index

from .fakes import running_proxy
from .upstream_server import Reply, UpstreamServer

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text(encoding="utf-8")
# The fields that SillyTavern's text completion for vLLM may send (its list of them, release 1.13).
SILLYTAVERN = {
    "model": "m", "prompt": "The clock", "best_of": 1, "echo": False, "frequency_penalty": 0, "logit_bias": {}, "logprobs": 0, "max_tokens": 8,
    "n": 1, "presence_penalty": 0, "seed": 7, "stop": ["\n"], "stream": False, "temperature": 0.7, "top_p": 1, "use_beam_search": False,
    "top_k": 40, "min_p": 0, "repetition_penalty": 1, "length_penalty": 1, "early_stopping": False, "stop_token_ids": [], "ignore_eos": False,
    "min_tokens": 0, "skip_special_tokens": True, "spaces_between_special_tokens": True, "include_stop_str_in_output": False,
}  # fmt: skip


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert len(found) == 1
    return str(found[0])


@pytest.mark.req("F8", "F11")
def test_the_python_of_the_page_runs(upstream: UpstreamServer, index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    with running_proxy(upstream.address, index) as port:
        exec(compile(block("python").replace(":8001/", f":{port}/"), "clients.md", "exec"), {})
    said, passages = capsys.readouterr().out.splitlines()
    assert said == "hé" and isinstance(json.loads(passages), list)
    sent = upstream.bodies()
    assert len(sent) == 4 and all("lore" not in body for body in sent)


@pytest.mark.req("F8")
def test_sillytaverns_fields_are_passed_on(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    upstream.replies["/v1/completions"] = Reply((b'{"choices": []}',), length=True)
    answer = proxy.post("/v1/completions", json=SILLYTAVERN)
    assert answer.status_code == 200, answer.text
    (sent,) = upstream.bodies("/v1/completions")
    assert {key: value for key, value in sent.items() if key != "prompt"} == {k: v for k, v in SILLYTAVERN.items() if k != "prompt"}


def test_continues_file_names_the_proxy() -> None:
    (model,) = yaml.safe_load(block("yaml"))["models"]
    assert (model["provider"], model["apiBase"], model["model"]) == ("openai", "http://127.0.0.1:8001/v1", "starter")
