"""The model card of a folder of GGUF files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from lorewright.data.pages import render_text
from lorewright.models.card import origin, plain


def exported_card(name: str, folder: str, lineage: Mapping[str, Any], export: Mapping[str, Any], parity: str = "") -> str:
    """README.md of the files' folder.

    name: of the recipe. folder: of the model that was exported, its name alone. lineage: where that comes from; empty where nobody knows.
    export: files (by name: type, bytes, sha256), llama-cpp-python (its version), ollama (the name there, or None), answers (by type).
    parity: the verdict of the comparison with the model that was trained, in words; "" where there was none.
    """
    rows = [(plain(file), facts["type"], _size(facts["bytes"]), facts["sha256"]) for file, facts in export["files"].items()]
    answers = [(kind, plain(answer)) for kind, answer in export["answers"].items()]
    text = render_text(
        "gguf.md", head=_head(lineage), name=plain(name), folder=plain(folder), files=rows, first=next(iter(export["files"])),
        answers=answers, ollama=export["ollama"], version=export["llama-cpp-python"], parity=parity, lineage=lineage, known=bool(lineage),
        merged=True, **(origin(lineage) if lineage else {"quoted": ""}),
    )  # fmt: skip
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _head(lineage: Mapping[str, Any]) -> str:
    head: dict[str, Any] = {"library_name": "gguf", "pipeline_tag": "text-generation", "tags": ["lorewright", "gguf", "llama.cpp"]}
    if lineage.get("on_hub"):
        head |= {"base_model": str(lineage["base_model"]), "base_model_relation": "quantized"}
    if lineage.get("language"):
        head["language"] = [lineage["language"]]
    return yaml.safe_dump(head, sort_keys=False, allow_unicode=True).strip()
