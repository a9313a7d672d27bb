"""The licence of a model, as its own card or its folder names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lorewright.models.hub import snapshot
from lorewright.recipe import is_folder

FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE")


def licence_of(model: str) -> str:
    """A few words; "" where the files that are here name none. model: a folder or a hub name."""
    folder = Path(model) if is_folder(model) else snapshot(model)
    if not folder:
        return ""
    head = _head(folder / "README.md")
    name = str(head.get("license_name") or head.get("license") or "")
    link = str(head.get("license_link") or "")
    file = next((file for file in FILES if (folder / file).is_file()), "")
    return " ".join(filter(None, (name, f"({link})" if link.startswith("http") else f"(its {file})" if file else "")))


def _head(card: Path) -> dict[str, Any]:
    """What stands between the two lines of dashes at a card's beginning."""
    try:
        text = card.read_text(encoding="utf-8")
        found = yaml.safe_load(text.split("---\n", 2)[1]) if text.startswith("---\n") else {}
    except (OSError, ValueError, IndexError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}
