"""Where a base model's config.json is: its folder, the hub's cache, the hub, or the table of the models that our recipes name."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lorewright.errors import LorewrightError
from lorewright.recipe import is_folder, split_revision
from lorewright.training.forecast.shape import Shape, shape_of

TABLE = Path(__file__).with_name("shapes.yaml")
OFFLINE, YES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"), ("1", "on", "yes", "true")  # as preflight/hub.py and the hub's library have it


@dataclass(frozen=True)
class Model:
    """where: in words, where its sizes come from. disk: bytes of its files on the hub."""

    shape: Shape
    where: str
    disk: int


def find_model(base_model: str, *, online: bool = False) -> Model:
    """The sizes of a folder or a hub name (name@revision). No weights are read. online: the hub is asked for what is not here.

    Raises LorewrightError when no config.json can be had, and says how to give one.
    """
    if is_folder(base_model):
        config = _read(Path(base_model) / "config.json")
        size = sum(file.stat().st_size for file in Path(base_model).glob("*.safetensors"))
        return _model(config, f"{Path(base_model).name}/config.json", size)
    name, revision = split_revision(base_model)
    file = _from_cache(name, revision)
    if file:
        return _model(_read(file), "config.json in the hub's cache")
    known = table().get(name)
    fetched = _from_hub(name, revision) if online and not known else None
    if known:
        return _model(known, f"the table of known models ({TABLE.name})", int(known.get("disk_gb", 0) * 1e9))
    if fetched:
        return _model(fetched, "config.json from the hub")
    raise LorewrightError(
        f"the size of {name} is not known: no config.json in the hub's cache, none from the hub, and it is not in the table",
        remedy="download its config.json into a folder and plan with --set base_model=FOLDER, or go online (HF_TOKEN for a gated model)",
    )


def table() -> dict[str, dict[str, Any]]:
    return _table(TABLE)


@cache
def _table(file: Path) -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return loaded


def _model(config: dict[str, Any], where: str, disk: int = 0) -> Model:
    shape = shape_of(config, where)
    return Model(shape, where, disk or 2 * shape.parameters)


def _read(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        what = "no config.json here" if isinstance(problem, FileNotFoundError) else "this config.json cannot be read"
        raise LorewrightError(what, where=str(file.parent), remedy="a base model's folder has one") from None
    return config if isinstance(config, dict) else {}


def _from_cache(name: str, revision: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name, "config.json", revision=revision or None)
    except HFValidationError:
        remedy = "base_model is ORGANISATION/NAME, or a folder beginning with / or ./"
        raise LorewrightError(f"{name} is no name that the hub can have", remedy=remedy) from None
    return Path(found) if isinstance(found, str) else None


def _from_hub(name: str, revision: str) -> dict[str, Any] | None:
    """One small file, asked for once: the hub's own client would try for half a minute where none can be reached."""
    import httpx
    from huggingface_hub import get_token

    if any(os.environ.get(variable, "").lower() in YES for variable in OFFLINE):
        return None
    url = f"{os.environ.get('HF_ENDPOINT', 'https://huggingface.co').rstrip('/')}/{name}/resolve/{revision or 'main'}/config.json"
    token = get_token()  # HF_TOKEN, or the file that its login has written
    try:
        answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"} if token else {}, timeout=5, follow_redirects=True)
        config = answer.raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return None
    return config if isinstance(config, dict) else None
