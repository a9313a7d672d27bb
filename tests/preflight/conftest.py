"""A hub of our own, and a recipe's training as the checks look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lorewright.plan import Paths, make_plan
from lorewright.preflight import Wanted
from lorewright.preflight.wanted import wanted_by
from lorewright.recipe import load
from tests.conftest import MakeRecipe
from tests.preflight.hub import Hub

WantedOf = Callable[..., Wanted]


@pytest.fixture
def wanted_of(make_recipe: MakeRecipe, tmp_path: Path) -> WantedOf:
    """A recipe's training; keyword arguments change Axolotl's keys, `recipe` the recipe's."""

    def make(accelerator: str = "cuda", recipe: dict[str, Any] | None = None, **axolotl: Any) -> Wanted:
        keys = {"adapter": "lora", "lora_r": 8, "lora_target_linear": True, "bf16": "auto"} | axolotl
        loaded = load(make_recipe(axolotl=keys, **(recipe or {})))
        wanted = wanted_by(loaded, make_plan(loaded), Paths(tmp_path / "runs", loaded.name), accelerator)
        assert wanted
        return wanted

    return make


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that answers as the real one, with an empty cache and no token on this side."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with Hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running
