"""What the stage tells the proxy is what the recipe says."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorewright.errors import LorewrightError, RecipeError
from lorewright.plan import Paths, make_plan
from lorewright.progress import Console
from lorewright.rag.settings import ProxySettings, read_settings
from lorewright.recipe import load
from lorewright.recipe.model import Limits, Timeouts
from lorewright.stages.rag import rag
from lorewright.stages.run import Run
from tests.conftest import MakeRecipe


def run_for(file: Path, folder: Path) -> Run:
    recipe = load(file)
    return Run(recipe, make_plan(recipe), Paths(folder / "runs", recipe.name), Console(), work=folder, done={"ingest": folder})


def told(file: Path, folder: Path) -> ProxySettings:
    run = run_for(file, folder)
    launch = rag(run.plan.step("rag"), run)
    assert launch.command[-1] == str(folder / "rag.json")
    assert launch.ready == "/health?lore=newest", "who asks after an ingest is answered from it"
    assert launch.environment["MALLOC_ARENA_MAX"] == "2"
    return read_settings(folder / "rag.json")


@pytest.mark.req("F8")
def test_every_key_of_the_recipe_reaches_the_proxy(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    plain = told(make_recipe(rag={"sources": ["lore"]}), tmp_path)
    assert (plain.timeouts, plain.limits, plain.budget, plain.overflow) == (Timeouts(), Limits(), 0.5, "error")
    assert plain.index == tmp_path / "runs/small/latest/ingest/index", "a link, which the proxy follows"
    changed = {
        "budget": 300, "position": "before_last_user", "introduction": "Facts:", "template": "{text}", "overflow": "drop_oldest", "max_active": 3, "max_waiting": 4,
        "extra_fields": ["mine"], "allowed_hosts": ["writer.lan"], "cors_origins": ["http://localhost:3000"],
    }  # fmt: skip
    parts = {"timeouts": {"answer": 7}, "limits": {"max_tokens": 9}}
    settings = told(make_recipe(rag={"sources": ["lore"], **changed, **parts}), tmp_path)
    for key, value in changed.items():
        assert getattr(settings, key) == (tuple(value) if isinstance(value, list) else value), key
    assert (settings.timeouts, settings.limits) == (Timeouts(answer=7), Limits(max_tokens=9))


def test_an_open_address_without_a_key_is_refused_before_anything_starts(
    make_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_recipe(rag={"sources": ["lore"], "host": "0.0.0.0"})
    monkeypatch.delenv("LOREWRIGHT_API_KEYS", raising=False)
    with pytest.raises(LorewrightError, match="set LOREWRIGHT_API_KEYS"):
        told(file, tmp_path)
    monkeypatch.setenv("LOREWRIGHT_API_KEYS", "a-key")
    assert told(file, tmp_path).host == "0.0.0.0"
    assert "a-key" not in (tmp_path / "rag.json").read_text()


def test_wrong_keys_are_told_before_anything_runs(make_recipe: MakeRecipe) -> None:
    wrong = {"budget": 0, "limits": {"depht": 3}, "position": "top", "cors_origins": ["localhost"], "max_waiting": -1}
    with pytest.raises(RecipeError) as caught:
        load(make_recipe(rag={"sources": ["lore"], **wrong}))
    said = "\n".join(caught.value.problems)
    for part in ("rag.budget", "rag.limits.depht", "rag.position", "an origin such as http://localhost:3000", "rag.max_waiting"):
        assert part in said
