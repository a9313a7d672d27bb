"""The dataset card, in the form that model and data hubs read: a YAML head, then Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import yaml

from lorewright.data.report.counted import Leaks, Side
from lorewright.data.report.removed import Kind

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def card_values(
    name: str, training: Side, validation: Side, found: Leaks, taken: Sequence[Kind], style: Mapping[str, Any], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """What the card's template wants. The licence is `other` until the owner says more: the texts are theirs."""
    total = training.examples + validation.examples
    files = [{"split": "train", "path": "training.jsonl"}]
    files += [{"split": "validation", "path": "validation.jsonl"}] if validation.examples else []
    head = {
        "pretty_name": name, "license": str(facts.get("licence") or "other"), "task_categories": ["text-generation"],
        "size_categories": [next((label for most, label in SIZES if total < most), "n>1M")],
        "configs": [{"config_name": "default", "data_files": files}], "tags": ["lorewright"],
    } | ({"language": [style["language"]]} if style.get("language") else {})  # fmt: skip
    return {
        "head": yaml.safe_dump(head, sort_keys=False, allow_unicode=True).strip(), "name": _line(name), "training": training,
        "validation": validation, "found": found, "removals": [(_line(kind.name), kind.count) for kind in taken],
        "documents": [_line(document or "unnamed") for document in sorted((training.documents | validation.documents).keys())[:100]],
        "more": max(0, len(training.documents | validation.documents) - 100), "prompt": _line(str(style.get("system_prompt") or "")),
        "base_model": _line(str(facts.get("base_model") or "")), "format": _line(str(facts.get("format") or "")),
        "rights": [(_line(source), _line(note)) for source, note in facts.get("rights") or ()],
    }  # fmt: skip


def _line(text: str) -> str:
    """One line in which Markdown and HTML mean nothing."""
    return re.sub(r"([\\`*\[\]|#])", r"\\\1", escape(" ".join(text.split()), quote=False))
