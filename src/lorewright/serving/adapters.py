"""Several voices on one base model: adapters that vLLM holds beside it, and loads and drops while it runs."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.recipe import Recipe
from lorewright.services import direct

# vLLM reserves memory for one of these ranks; docs: its --max-lora-rank.
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def voices(recipe: Recipe, own: str) -> dict[str, str]:
    """Name -> adapter folder of all voices: the recipe's own under its name, then those of serve.adapters.

    own: the folder of the adapter that the recipe trained; empty when it trains none.
    """
    return ({recipe.name: own} if own else {}) | dict(recipe.serve.adapters)


def rank_of(folder: Path) -> int:
    """The largest rank in an adapter. Raises LorewrightError for one that vLLM cannot hold beside a base model."""
    try:
        facts = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        rank = max([int(facts["r"]), *map(int, (facts.get("rank_pattern") or {}).values())])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        remedy = "name the folder that training left: runs/<recipe>/latest/train/adapter"
        raise LorewrightError("no adapter_config.json of a LoRA adapter there", where=str(folder), remedy=remedy) from None
    barred = {"use_dora": "DoRA", "modules_to_save": "whole modules trained beside it", "lora_bias": "a bias"}
    found = [said for key, said in barred.items() if facts.get(key)]
    if found:
        raise LorewrightError(
            f"an adapter with {' and '.join(found)} cannot be held beside the base model", where=str(folder), remedy="serve it merged"
        )
    return rank


def arguments(adapters: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """vLLM's arguments that hold these voices ready at once. given: the recipe's own, which may ask for more room."""
    largest = max((rank_of(Path(folder)) for folder in adapters.values()), default=16)
    room = next((rank for rank in RANKS if rank >= largest), None)
    if room is None:
        raise LorewrightError(f"rank {largest} is more than vLLM's largest, {RANKS[-1]}", remedy="serve this adapter merged")
    modules = [json.dumps({"name": name, "path": folder}) for name, folder in adapters.items()]
    return {
        "enable_lora": True,
        "max_lora_rank": max(room, int(given.get("max_lora_rank", 0))),
        "max_loras": max(len(adapters), int(given.get("max_loras", 1))),
    } | ({"lora_modules": modules} if modules else {})


def runtime_variables(recipe: Recipe) -> dict[str, str]:
    """Loading while running lets a caller name any folder: only where nobody else can call."""
    return {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"} if recipe.serve.on_base and recipe.serve.host in LOOPBACK else {}


def load(url: str, name: str, folder: Path) -> None:
    """Loads an adapter into a running server; one of that name is replaced. Raises LorewrightError with vLLM's reason."""
    rank_of(folder)
    _post(f"{url}/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(folder), "load_inplace": name in listed(url)})


def unload(url: str, name: str) -> None:
    """Takes an adapter out of a running server. Raises LorewrightError with vLLM's reason."""
    _post(f"{url}/v1/unload_lora_adapter", {"lora_name": name})


def listed(url: str) -> list[str]:
    """The names under which the server answers. Raises LorewrightError when it does not answer."""
    return [str(model["id"]) for model in json.loads(_call(urllib.request.Request(f"{url}/v1/models", headers=_headers())))["data"]]  # noqa: S310


def _post(url: str, body: Mapping[str, Any]) -> None:
    _call(urllib.request.Request(url, json.dumps(body).encode(), _headers() | {"content-type": "application/json"}))  # noqa: S310


def _headers() -> dict[str, str]:
    key = os.environ.get("VLLM_API_KEY", "")
    return {"authorization": f"Bearer {key}"} if key else {}


def _call(request: urllib.request.Request) -> str:
    try:
        with direct.open(request, timeout=120) as reply:
            return str(reply.read().decode())
    except urllib.error.HTTPError as problem:
        said = _reason(problem.read())
        if problem.code == 404 and "lora_adapter" in request.full_url and said.lower().startswith("not found"):
            remedy = "start it with serve.live or serve.adapters, on 127.0.0.1"
            raise LorewrightError("this server takes no adapters while it runs", where=request.full_url, remedy=remedy) from None
        raise LorewrightError(f"vLLM answers {problem.code}: {said}", where=request.full_url) from None
    except (urllib.error.URLError, OSError):
        raise LorewrightError("nothing answers there", where=request.full_url, remedy="./lorewright serve RECIPE starts it") from None


def _reason(body: bytes) -> str:
    """vLLM's own words, out of OpenAI's or FastAPI's shape."""
    text = body.decode(errors="replace")
    try:
        facts = json.loads(text)
        inner = facts.get("error", facts)
        return str(inner.get("message") or inner.get("detail") or text)[:500]
    except (ValueError, AttributeError):
        return text[:500]
