"""Which checkpoint is merged, and why: told in words, and a clear error for one that was not kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lorewright.errors import LorewrightError, RecipeError
from lorewright.manifest import read_json
from lorewright.models.checkpoint import chosen
from lorewright.plan import make_plan
from lorewright.recipe import load
from lorewright.runner import Choice, execute
from lorewright.stages import Run

pytestmark = pytest.mark.req("F5")


def trained(folder: Path, losses: Mapping[int, float], kept: tuple[int, ...]) -> Path:
    """An adapter's folder with these checkpoints. losses: of each step that was evaluated."""
    for step in kept:
        (folder / f"checkpoint-{step}").mkdir(parents=True)
        history = [{"step": at, "eval_loss": loss} for at, loss in losses.items() if at <= step] + [{"step": step, "loss": 1.0}]
        (folder / f"checkpoint-{step}" / "trainer_state.json").write_text(json.dumps({"log_history": history}))
    folder.mkdir(exist_ok=True)
    return folder


def test_the_best_is_the_lowest_loss_of_those_that_were_kept(tmp_path: Path) -> None:
    found = chosen(trained(tmp_path / "a", {2: 3.0, 4: 2.5, 6: 2.6, 8: float("nan")}, (2, 4, 6, 8)), "best")
    assert (found.folder.name, found.step, found.eval_loss) == ("checkpoint-4", 4, 2.5)
    assert found.said == "checkpoint of step 4, the best of those kept: 2.5000 on held-out text (step 2 3.0000, 6 2.6000)"
    found = chosen(trained(tmp_path / "b", {2: 2.4, 4: 2.5, 6: 2.5}, (4, 6)), "best")
    assert found.step == 4, "of two alike the earlier"
    assert found.said.endswith("(step 6 2.5000); step 2 had 2.4000, and was not kept")


def test_a_checkpoint_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    adapter = trained(tmp_path / "a", {}, (4, 8))
    assert chosen(adapter, None).folder == adapter
    assert chosen(adapter, 8).folder.name == "checkpoint-8"
    with pytest.raises(LorewrightError, match="no checkpoint of step 6; there are those of step 4, 8; .*finished_checkpoints"):
        chosen(adapter, 6)
    with pytest.raises(LorewrightError, match="no checkpoint has a loss on held-out text; set data.validation"):
        chosen(adapter, "best")
    for asked in (6, "best"):
        with pytest.raises(LorewrightError, match="the training has left none"):
            chosen(trained(tmp_path / "none", {}, ()), asked)


@pytest.mark.parametrize(
    ("checkpoint", "changes", "said"),
    [
        ("last", {}, "merge.checkpoint: last is neither a step, best nor a folder"),
        (0, {}, "merge.checkpoint"),
        ("best", {"serve": {"live": True}}, "serve.live and serve.adapters serve nothing merged"),
        (2, {"axolotl": None, "data": None}, "the recipe trains nothing"),
    ],
)
def test_a_recipe_is_told_what_cannot_be(make_recipe, checkpoint: object, changes: dict[str, object], said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RecipeError, match=said):
        load(make_recipe(merge={"checkpoint": checkpoint}, **changes))


def test_another_checkpoint_is_another_result_and_never_taken_for_the_recipes_own(
    make_recipe: Callable[..., Path], run_of: Callable[..., Run], fake_tools: Path, tmp_path: Path
) -> None:
    file, stages = make_recipe(), Choice(only=("prepare", "train", "merge"))
    assert "checkpoint" not in make_plan(load(file)).step("merge").part, "what was merged before there was a choice stays"
    of_two = run_of(make_recipe(merge={"checkpoint": 2}, train={"finished_checkpoints": "whole"}))
    execute(of_two, stages)
    call = json.loads(fake_tools.read_text().splitlines()[-1])["argv"]
    assert call[0] == "merge-lora" and call[call.index("--lora-model-dir") + 1].endswith("/adapter/checkpoint-2")
    facts = read_json(of_two.done["merge"] / "step.json")["facts"]
    assert facts["checkpoint"]["step"] == 2 and facts["said"].startswith("checkpoint-2: 1 shard")
    assert "the LoRA adapter `small`, checkpoint-2, merged into it" in (of_two.done["merge"] / "merged" / "README.md").read_text()
    own = run_of(make_recipe(train={"finished_checkpoints": "whole"}))
    with pytest.raises(LorewrightError, match="serve needs merge, which has not been run yet"):
        execute(own, Choice(services=("serve",)))
    execute(own, stages)
    assert own.done["merge"] != of_two.done["merge"] and own.done["train"] == of_two.done["train"]
    elsewhere = tmp_path / "elsewhere"
    (own.done["train"] / "adapter" / "checkpoint-3").rename(elsewhere)
    third = run_of(make_recipe(merge={"checkpoint": "./elsewhere"}, train={"finished_checkpoints": "whole"}))
    execute(third, stages)
    assert third.done["merge"] not in (own.done["merge"], of_two.done["merge"])
    assert json.loads(fake_tools.read_text().splitlines()[-1])["argv"][3] == str(elsewhere)
    (elsewhere / "adapter_config.json").write_text((elsewhere / "adapter_config.json").read_text() + " ")
    again = run_of(make_recipe(merge={"checkpoint": "./elsewhere"}, train={"finished_checkpoints": "whole"}))
    execute(again, stages)
    assert again.done["merge"] != third.done["merge"], "an adapter elsewhere is known by its content"
