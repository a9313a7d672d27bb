"""The model card of an adapter and of the model it is merged into: what it is, where it comes from, how to load it.

The head is what model hubs read. Nothing in it or below names a path of the machine that trained.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from lorewright.data.pages import render_text

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # what vLLM takes as --max-lora-rank


def adapter_card(lineage: Mapping[str, Any]) -> str:
    """README.md of the adapter's folder. lineage: lineage.json, as stages/trained.py writes it."""
    return _card(lineage, merged=False)


def merged_card(lineage: Mapping[str, Any]) -> str:
    """README.md of the merged model's folder. The same adapter gives the same card: no times of the training are in it."""
    return _card(lineage, merged=True)


def _card(lineage: Mapping[str, Any], *, merged: bool) -> str:
    rank = int(lineage["rank"] or 8)
    text = render_text(
        "model.md", head=_head(lineage, merged=merged), merged=merged, lineage=lineage, name=plain(lineage["name"]),
        max_rank=next((size for size in RANKS if size >= rank), rank), **origin(lineage),
    )  # fmt: skip
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def origin(lineage: Mapping[str, Any]) -> dict[str, Any]:
    """What every card tells of where a model comes from (model_origin.md), made safe for Markdown."""
    return {
        "base": plain(lineage["base_model"]), "checkpoint": lineage.get("checkpoint", ""),
        "documents": [plain(name) for name in lineage["set"]["documents"]],
        "rights": [(plain(source), plain(note)) for source, note in lineage.get("rights") or ()],
        "licence": plain(lineage["licence"]) if lineage.get("licence") else "",
        "quoted": "\n".join(f"> {plain(line)}".rstrip() for line in lineage["system_prompt"].strip().splitlines()),
    }  # fmt: skip


def _head(lineage: Mapping[str, Any], *, merged: bool) -> str:
    base, on_hub = str(lineage["base_model"]), bool(lineage["on_hub"])
    head: dict[str, Any] = {"library_name": "transformers" if merged else "peft", "pipeline_tag": "text-generation"}
    if on_hub:  # a folder's name would lead a hub to somebody else's model
        head |= {"base_model": base, "base_model_relation": "finetune" if merged else "adapter"}
    tags = ["lorewright", "axolotl", *([lineage["adapter"]] if lineage["adapter"] else [])]
    head["tags"] = tags + ([f"base_model:adapter:{base}"] if on_hub and not merged else [])
    if lineage["language"]:
        head["language"] = [lineage["language"]]
    return yaml.safe_dump(head, sort_keys=False, allow_unicode=True).strip()


def plain(text: str) -> str:
    """One line in which Markdown and HTML mean nothing."""
    escaped = re.sub(r"([\\`*\[\]|#])", r"\\\1", " ".join(str(text).split()))
    return escaped.replace("<", "&lt;").replace(">", "&gt;")
