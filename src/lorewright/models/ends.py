"""The tokens that end an answer: the tokenizer's own end, and what the chat template writes after what the assistant says.

They differ in many models (a base model's end of text, and ChatML's end of turn), and a server must know them all.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lorewright.data.formats.template import STAND_IN
from lorewright.models.rendering import NotRenderedError, template_of

TURNS = [{"role": "user", "content": "?"}, {"role": "assistant", "content": STAND_IN}]


def end_tokens(folder: Path) -> list[int]:
    """Ids, by the folder's tokenizer files; what these do not tell is left out."""
    settings, tokens = _json(folder / "tokenizer_config.json"), special_tokens(folder)
    own = settings.get("eos_token")
    own = own.get("content") if isinstance(own, dict) else own
    after = _after_an_answer(folder)
    first = min((token for token in tokens if token in after), key=lambda token: (after.find(token), -len(token)), default=None)
    return [tokens[token] for token in dict.fromkeys([own, first]) if token in tokens]


def token_texts(folder: Path) -> dict[int, str]:
    """The special tokens by their ids."""
    return {number: text for text, number in special_tokens(folder).items()}


def special_tokens(folder: Path) -> dict[str, int]:
    """The special tokens by their text."""
    added = _json(folder / "tokenizer.json").get("added_tokens") or []
    found = {token["content"]: token["id"] for token in added if token.get("special")}
    later = _json(folder / "tokenizer_config.json").get("added_tokens_decoder") or {}
    return found | {token["content"]: int(number) for number, token in later.items() if token.get("special")}


def _after_an_answer(folder: Path) -> str:
    """What the template writes after the assistant's words; "" where it does not show them as they are."""
    try:
        text = template_of(folder).render(TURNS)
    except NotRenderedError:  # one that needs more than a tokenizer gives; its own end is known anyway
        return ""
    return text.rpartition(STAND_IN)[2] if text.count(STAND_IN) == 1 else ""


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
