"""The digest of a recipe's values tells what its file's hash does not."""

from __future__ import annotations

import shutil
from pathlib import Path

from lorewright.models.lineage import values_digest
from lorewright.recipe import load
from lorewright.smoke import small_of
from tests.conftest import MakeRecipe
from tests.weights import write_model


def test_every_change_of_the_values_is_another_digest(make_recipe: MakeRecipe) -> None:
    base = make_recipe()
    child = base.with_name("child.yaml")
    child.write_text(f"extends: {base.name}\n")
    first = values_digest(load(child))
    assert first == values_digest(load(child))
    base.write_text(base.read_text().replace("lora_r: 8", "lora_r: 4"))
    found = {
        first,
        values_digest(load(child)),
        values_digest(load(child, ("axolotl.lora_r=2",))),
        values_digest(small_of(load(child)).recipe),
    }
    assert len(found) == 4


def test_a_moved_tree_has_the_same(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    file = make_recipe(base_model="./base")
    write_model(tmp_path / "base")
    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    shutil.copytree(tmp_path, moved)
    assert values_digest(load(moved / file.relative_to(tmp_path))) == values_digest(load(file))
