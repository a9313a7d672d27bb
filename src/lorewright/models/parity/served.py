"""What a running vLLM expects to come next, by its OpenAI API: /tokenize for prompts, prompt_logprobs of /v1/completions for positions.

vLLM gives logarithms as they are before temperature and penalties (logprobs_mode raw_logprobs, its default), so that a recipe's
sampling changes nothing here.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.manifest import write_whole
from lorewright.models.parity.questions import read_questions
from lorewright.progress import Bar
from lorewright.services import direct

SURE = 100.0  # the highest bias that the API takes: more than any logit
TOKEN = "token_id:"  # noqa: S105 (how vLLM names a token by its id)


class RefusedError(LorewrightError):
    """vLLM understands the request and does not answer it."""


@dataclass(frozen=True)
class Server:
    """url: without /v1. model: the name that it serves. top: how many of the likeliest tokens it gives at the most."""

    url: str
    model: str
    top: int


def observe(server: Server, asked: Path, observed: Path, bar: Bar) -> None:
    """Asks the server every question and writes the observation. Raises LorewrightError when it does not answer."""
    questions, lines = read_questions(asked), []
    for number, question in enumerate(questions):
        bar(number, len(questions), f"asking vLLM, prompt {number + 1} of {len(questions)}")
        prompt = prompt_ids(server, question)
        positions = _positions(server, prompt, question["answer_ids"], min(question["top"], server.top)) if prompt else []
        lines.append(json.dumps({"id": question["id"], "prompt_ids": prompt, "positions": positions}))
    write_whole(observed, "".join(f"{line}\n" for line in lines))


def prompt_ids(server: Server, question: Mapping[str, Any]) -> list[int]:
    """A prompt as the server itself renders and reads it; empty where it has no template, or one that refuses the chat."""
    if question["messages"] is None:
        body: dict[str, Any] = {"prompt": question["text"]}
    else:
        body = {"messages": question["messages"], "add_generation_prompt": True}
        body |= {"chat_template_kwargs": question["settings"]} if question.get("settings") else {}
    try:
        return list(_post(server, "/tokenize", body)["tokens"])
    except RefusedError:
        return []


def stops_after(server: Server, prompt: Sequence[int], end: int) -> bool:
    """Whether the server ends an answer with this token. It is made to write it: nothing hangs on what the model would say."""
    body = {"prompt": list(prompt), "max_tokens": 2, "temperature": 0, "logit_bias": {str(end): SURE}}
    return bool(_post(server, "/v1/completions", body)["choices"][0]["finish_reason"] == "stop")


def _positions(server: Server, prompt: list[int], answer: list[int], top: int) -> list[dict[str, Any]]:
    """Of the prompt's tokens the server tells what it expected at each; what it expects after the last one is its own first token."""
    body = {
        "prompt": prompt + answer, "max_tokens": 1, "temperature": 0, "logprobs": top, "prompt_logprobs": top,
        "return_tokens_as_token_ids": True,
    }  # fmt: skip
    choice = _post(server, "/v1/completions", body)["choices"][0]
    told = choice["prompt_logprobs"][len(prompt) :] if answer else []
    rows = [[(int(token), float(entry["logprob"])) for token, entry in place.items()] for place in told]
    last = choice["logprobs"]["top_logprobs"][0]
    return [_position(row, top) for row in (*rows, [(int(name.removeprefix(TOKEN)), float(value)) for name, value in last.items()])]


def _position(row: list[tuple[int, float]], top: int) -> dict[str, Any]:
    """The token that stands there is told too where it is none of the likeliest; then it is the last."""
    ordered = sorted(row, key=lambda pair: -pair[1])[:top]
    return {"ids": [token for token, _ in ordered], "logprobs": [value for _, value in ordered]}


def _post(server: Server, path: str, body: Mapping[str, Any]) -> Any:
    key = os.environ.get("VLLM_API_KEY", "")
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(f"{server.url}{path}", json.dumps({"model": server.model} | dict(body)).encode(), headers)  # noqa: S310
    try:
        with direct.open(request, timeout=300) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as problem:
        said = " ".join(problem.read().decode(errors="replace").split())[:300]
        kind = RefusedError if problem.code in (400, 422) else LorewrightError
        raise kind(f"vLLM answers {problem.code}: {said}", where=request.full_url) from None
    except (urllib.error.URLError, OSError, ValueError) as problem:
        remedy = "./lorewright serve RECIPE starts it"
        raise LorewrightError(f"vLLM does not answer: {problem}", where=request.full_url, remedy=remedy) from None
