"""The wording we send, kept in YAML files that people may change: `system` and `user`, with {names} to be filled in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from lorewright.errors import LorewrightError
from lorewright.recipe.model import PROMPTS

_NAME = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Prompt:
    system: str
    user: str

    def messages(self, **values: object) -> list[dict[str, str]]:
        """Chat messages with {names} filled in; braces in a value are left as they are, so are names that are not given."""
        turns = [("system", filled(self.system, **values)), ("user", filled(self.user, **values))]
        return [{"role": role, "content": text} for role, text in turns if text]


def filled(template: str, **values: object) -> str:
    return _NAME.sub(lambda name: str(values.get(name[1], name[0])), template).strip()


def load_prompt(name: str, file: str | None, needs: str) -> Prompt:
    """Our prompt of that name, or the user's file. needs: the {name} that must stand in `user`, or nothing would be asked.

    Raises LorewrightError for a file that is no prompt.
    """
    path = Path(file) if file else PROMPTS / f"{name}.yaml"
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        first = str(getattr(problem, "strerror", None) or problem).splitlines()[0]
        raise LorewrightError(f"cannot be read: {first}", where=str(path), remedy="see fine-tuning/prompts for its form") from None
    if not isinstance(values, dict) or not isinstance(values.get("user"), str) or f"{{{needs}}}" not in values["user"]:
        raise LorewrightError(f"has no `user` text with {{{needs}}} in it", where=str(path), remedy="see fine-tuning/prompts for its form")
    return Prompt(str(values.get("system") or ""), values["user"])
