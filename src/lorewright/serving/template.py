"""Whether a chat template can be read at all: vLLM starts with a broken one, after a minute, and refuses every chat."""

from __future__ import annotations

import json
from pathlib import Path

from lorewright.errors import LorewrightError

FILES = ("chat_template.jinja", "chat_template.json", "additional_chat_templates")


def has_template(model: str, own: str | None) -> bool:
    """Whether chats can be served: a folder without a template, in a recipe without one, can only complete text.

    model: a folder or a hub name, of which nothing is known. own: the recipe's template file.
    """
    folder = Path(model)
    if own or not folder.is_dir():
        return True
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        settings = {}
    return bool(settings.get("chat_template")) or any((folder / file).exists() for file in FILES)


def check_template(model: str, own: str | None) -> None:
    """Raises LorewrightError with the line when the template that vLLM would take cannot be compiled."""
    file = Path(own) if own else Path(model) / FILES[0]
    if not file.is_file():
        return
    from jinja2 import TemplateSyntaxError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    from lorewright.serving.jinja_tags import Generation

    engine = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"])
    try:
        engine.from_string(file.read_text(encoding="utf-8"))
    except TemplateSyntaxError as problem:
        remedy = "mend it, or take chat_template out of the recipe to use the model's own" if own else "set chat_template in the recipe"
        raise LorewrightError(
            f"the chat template cannot be used: {problem.message}", where=f"{file}:{problem.lineno}", remedy=remedy
        ) from None
