"""A model folder's chat template, rendered as transformers does it, without loading transformers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Message = Mapping[str, str]
OWN = "chat_template.jinja"


class NotRenderedError(ValueError):
    """The template refuses these turns, or needs more than a tokenizer gives."""


@dataclass(frozen=True)
class ChatTemplate:
    """text: "" for a folder without one. named: what it may name: special tokens, such as bos_token, and settings of its own."""

    text: str
    named: Mapping[str, Any] = field(default_factory=dict)

    def render(self, messages: Sequence[Message], *, asked: bool = False) -> str:
        """The text that these messages make. asked: with the opening of the next answer. Raises NotRenderedError."""
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        marked = re.sub(r"{%-?\s*(?:end)?generation\s*-?%}", "", self.text)  # marks for training
        engine = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
        engine.globals["raise_exception"] = _refuse
        engine.filters["tojson"] = lambda value, **how: json.dumps(value, ensure_ascii=False, **how)
        try:
            return engine.from_string(marked).render(messages=[dict(one) for one in messages], add_generation_prompt=asked, **self.named)
        except (TemplateError, TypeError, ValueError) as problem:
            raise NotRenderedError(str(problem)) from None


def _refuse(why: str) -> None:
    raise NotRenderedError(why)


def template_of(folder: Path) -> ChatTemplate:
    """The folder's chat template with its tokenizer's special tokens."""
    settings = _json(folder / "tokenizer_config.json")
    named = {name: _token(value) for name, value in settings.items() if name.endswith("_token")}
    file, written = folder / OWN, settings.get("chat_template")
    text = file.read_text(encoding="utf-8") if file.is_file() else written if isinstance(written, str) else ""
    return ChatTemplate(text, {name: token for name, token in named.items() if token})


def _token(value: object) -> str:
    """Tokenizers have been saved with a token's text, or with all that is known of it."""
    text = value.get("content") if isinstance(value, dict) else value
    return text if isinstance(text, str) else ""


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
