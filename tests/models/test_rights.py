"""What a recipe notes of its sources' rights stands on every card, and costs no training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lorewright.errors import RecipeError
from lorewright.manifest import latest_manifest, read_json
from lorewright.plan import make_plan
from lorewright.recipe import load
from lorewright.runner import execute
from lorewright.smoke import small_of
from lorewright.stages import Run
from tests.conftest import MakeRecipe

RunOf = Callable[..., Run]
CHUNK = {"unit": "words", "min": 20, "max": 80}


def noted(**rights: str) -> dict[str, Any]:
    return {"sources": ["texts/0.txt", "texts"], "chunk": CHUNK} | ({"rights": rights} if rights else {})


def cards(run: Run) -> list[str]:
    """The data card and the two model cards."""
    places = run.done["prepare"], run.done["train"] / "adapter", run.done["merge"] / "merged"
    return [(place / "README.md").read_text(encoding="utf-8") for place in places]


def actions(run: Run) -> dict[str, str]:
    record = latest_manifest(run.paths.manifests)
    assert record
    return {name: facts["action"] for name, facts in record["steps"].items()}


def test_every_card_tells_whose_the_sources_are(make_recipe: MakeRecipe, run_of: RunOf, fake_tools: Path) -> None:
    run = run_of(make_recipe(data=noted(texts="CC-BY-4.0, of J. <b>Marrable</b> | 2024")))
    execute(run)
    for card in cards(run):
        assert "| texts | CC-BY-4.0, of J. &lt;b&gt;Marrable&lt;/b&gt; \\| 2024 |\n" in card
        assert "| 0.txt | not noted |\n" in card and "\n\n\n" not in card
    lineage = read_json(run.done["train"] / "lineage.json")
    assert lineage["rights"] == [["0.txt", ""], ["texts", "CC-BY-4.0, of J. <b>Marrable</b> | 2024"]]


def test_a_note_added_later_makes_the_cards_again_and_trains_nothing(make_recipe: MakeRecipe, run_of: RunOf, fake_tools: Path) -> None:
    execute(run_of(make_recipe(data=noted())))
    run = run_of(make_recipe(data=noted(texts="private")))
    execute(run)
    assert actions(run) == {"extract": "skipped", "prepare": "made", "ledger": "skipped", "train": "skipped", "merge": "made"}
    data, adapter, merged = cards(run)
    assert "| texts | private |" in data and "| texts | private |" in merged
    assert "rights, as" not in adapter, "it is of before"


def test_without_a_note_nothing_changes(make_recipe: MakeRecipe, run_of: RunOf, fake_tools: Path) -> None:
    recipe = load(make_recipe(data=noted()))
    assert all("rights" not in step.part for step in make_plan(recipe).steps)
    assert "rights" not in recipe.resolved["data"]


def test_a_note_is_of_a_source_of_the_recipe(make_recipe: MakeRecipe) -> None:
    with pytest.raises(RecipeError) as error:
        load(make_recipe(data=noted(text="private", elsewhere="mine")))
    assert [line.partition(": ")[2] for line in str(error.value).splitlines()] == [
        "data.rights.elsewhere: is none of data.sources; write it as it stands there",
        "data.rights.text: is none of data.sources; did you mean texts?",
    ]
    with pytest.raises(RecipeError, match="data.rights.texts: must not be empty"):
        load(make_recipe(data=noted(texts="")))


def test_notes_go_with_their_sources(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    """In full paths they are known by the full path; a recipe that extends another and names other sources notes them anew."""
    base = make_recipe(data=noted(texts="private"))
    recipe = load(base)
    assert recipe.data and recipe.data.rights == {str(tmp_path / "texts"): "private"}
    glob = load(make_recipe("glob", data={"sources": ["texts/*.txt"], "chunk": CHUNK, "rights": {"texts/*.txt": "mine"}})).data
    assert glob and glob.rights_told == [("texts/*.txt", "mine")]
    small = small_of(recipe).recipe
    assert small.data and small.data.rights_told == []
    child = tmp_path / "child.yaml"
    child.write_text(f"extends: {base.name}\ndata: {{sources: [texts/1.txt]}}\n")
    with pytest.raises(RecipeError, match="data.rights.texts: is none of data.sources"):
        load(child)
    child.write_text(f"extends: {base.name}\ndata: {{sources: [texts/1.txt], rights: null}}\n")
    found = load(child).data
    assert found and found.rights_told == []
