"""The export section of a recipe, and what keeps a recipe from being exported."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Export:
    """gguf: llama.cpp's types, the first is Ollama's. ollama: the model's name there. model: a folder instead of what is merged."""

    gguf: tuple[str, ...]
    ollama: str | None
    model: str | None
    include_private: bool


def is_private(note: str) -> bool:
    """Whether a note of a source's rights begins with that word."""
    return re.match(r"\s*private\b", note, re.IGNORECASE) is not None
