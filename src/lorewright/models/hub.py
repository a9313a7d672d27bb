"""Which commit of a hub model was used."""

from __future__ import annotations

import os
from pathlib import Path

from lorewright.recipe import split_revision


def commit(base_model: str) -> str | None:
    """The commit that `name` or `name@revision` stands for in the hub's local cache; None when it was never fetched.

    The cache's layout is huggingface_hub's: models--ORG--NAME/refs/REVISION holds the commit.
    """
    name, revision = split_revision(base_model)
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub") / f"models--{name.replace('/', '--')}"
    ref = cache / "refs" / (revision or "main")
    if ref.is_file():
        return ref.read_text(encoding="utf-8").strip()
    return revision if revision and (cache / "snapshots" / revision).is_dir() else None
