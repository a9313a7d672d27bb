"""How long a context a model was made for."""

from __future__ import annotations

import json
from pathlib import Path

UNKNOWN = 1 << 31


def own_context(folder: Path) -> int:
    """Tokens by the model's config.json; a very large number where it does not say."""
    try:
        facts = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        text = facts.get("text_config") or facts
        return int(text.get("max_position_embeddings") or UNKNOWN)
    except (OSError, ValueError, AttributeError, TypeError):
        return UNKNOWN
