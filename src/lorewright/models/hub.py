"""The hub's local cache: where a model lies in it, and which commit of it was used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.recipe import split_revision


def home() -> Path:
    """Where the hub's library keeps its things; its own order of variables."""
    return Path(os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface").expanduser()


def cache() -> Path:
    return Path(os.environ.get("HF_HUB_CACHE") or home() / "hub").expanduser()


def _cached(name: str) -> Path:
    """The cache's layout is huggingface_hub's: models--ORG--NAME/refs/REVISION holds the commit, snapshots/COMMIT the files."""
    return cache() / f"models--{name.replace('/', '--')}"


def commit(base_model: str) -> str | None:
    """The commit that `name` or `name@revision` stands for in the hub's local cache; None when it was never fetched."""
    name, revision = split_revision(base_model)
    ref = _cached(name) / "refs" / (revision or "main")
    if ref.is_file():
        return ref.read_text(encoding="utf-8").strip()
    return revision if revision and (_cached(name) / "snapshots" / revision).is_dir() else None


def fetch(base_model: str) -> Path:
    """The folder of the whole model, fetched into the cache as far as it is not there: what lies at the top, other forms do not.

    Raises LorewrightError when the hub does not give it.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the library is imported
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    name, revision = split_revision(base_model)
    wanted: dict[str, Any] = {"revision": revision or None, "endpoint": os.environ.get("HF_ENDPOINT") or None}
    try:
        return Path(snapshot_download(name, **wanted, cache_dir=cache(), ignore_patterns=["*/*"]))
    except (HfHubHTTPError, LocalEntryNotFoundError, httpx.HTTPError) as problem:
        why = (str(problem).splitlines() or [type(problem).__name__])[0][:160]
        remedy = "run again: it goes on with what is still to come"
        raise LorewrightError(f"{name} could not be fetched from the hub: {why}", remedy=remedy) from None


def snapshot(base_model: str) -> Path | None:
    """The folder of that commit's files, as far as they have been fetched; None where there is none."""
    found = commit(base_model)
    folder = _cached(split_revision(base_model)[0]) / "snapshots" / found if found else None
    return folder if folder and folder.is_dir() else None
