"""The plan is pure and every shipped recipe's plan is the one that was reviewed."""

from __future__ import annotations

import builtins
import json
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from lorewright.errors import LorewrightError
from lorewright.plan import Paths, make_plan
from lorewright.recipe import load

CONFIGS = Path(__file__).parents[1] / "configs"
GOLDEN = Path(__file__).parent / "golden"
NAMES = (
    "gpt-oss-nf4", "lora_style_transfer", "lora_style_transfer_fsdp2", "persona_completion", "persona_qa", "persona_qa_30b_a3b", "persona_qa_32b", "persona_qa_gpt_oss",
    "qlora_style_transfer", "report_chapters", "scientific_longform", "starter", "ziwei_gpt_oss_nf4",
)  # fmt: skip
RECIPES = sorted(path.name for path in CONFIGS.glob("*.yaml"))


def test_no_recipe_is_overlooked() -> None:
    assert sorted(f"{name}.yaml" for name in NAMES) == RECIPES
    assert sorted(path.stem for path in GOLDEN.glob("plan_*.json")) == [f"plan_{Path(name).stem}" for name in RECIPES]


@pytest.mark.req("F1", "F2")
@pytest.mark.parametrize("name", RECIPES)
def test_plan_is_the_reviewed_one(name: str, repo: Path) -> None:
    """Regenerate after a wanted change: ./lorewright plan configs/NAME --json, with the checkout's path as REPO."""
    plan = json.dumps(asdict(make_plan(load(CONFIGS / name))), indent=1, default=str).replace(str(repo), "REPO")
    assert plan + "\n" == (GOLDEN / f"plan_{Path(name).stem}.json").read_text(encoding="utf-8")


@pytest.mark.req("F1", "F2")
@pytest.mark.parametrize(("name", "adapter", "four_bit"), [("qlora_style_transfer", "qlora", True), ("lora_style_transfer", "lora", False)])
def test_style_transfer_recipes_hold_the_reference_values(name: str, adapter: str, four_bit: bool) -> None:
    recipe = load(CONFIGS / f"{name}.yaml")
    wanted = {
        "adapter": adapter, "load_in_4bit": four_bit, "lora_r": 64, "learning_rate": 2e-4, "num_epochs": 3, "micro_batch_size": 4,
        "gradient_accumulation_steps": 4, "sequence_len": 2048,
    }  # fmt: skip
    assert recipe.axolotl and {key: recipe.axolotl[key] for key in wanted} == wanted
    assert recipe.vllm == {"max_model_len": 64000, "max_num_seqs": 9, "gpu_memory_utilization": 0.9}
    assert recipe.rag and (recipe.rag.collection, recipe.rag.embedding_model) == ("scifi_world", "BAAI/bge-large-en-v1.5")


@pytest.mark.parametrize("name", RECIPES)
def test_headers_say_purpose_needs_use_and_result(name: str) -> None:
    text = (CONFIGS / name).read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=schema/recipe.schema.json\n")
    assert [word for word in ("# Purpose:", "# Needs:", "# Use:", "# Gives:") if word not in text] == []


def test_planning_touches_nothing(make_recipe, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    recipe = load(make_recipe(rag={"sources": ["lore"]}, questions=["Why?"]))

    def forbidden(*words: object, **more: object) -> None:
        raise AssertionError(f"planning opened or started something: {words}")

    monkeypatch.setattr(builtins, "open", forbidden)
    monkeypatch.setattr(Path, "stat", forbidden)
    monkeypatch.setattr(subprocess, "Popen", forbidden)
    plan = make_plan(recipe)
    assert [step.name for step in plan.steps] == ["extract", "prepare", "ledger", "train", "merge", "serve", "ingest", "rag", "query"]


def test_every_step_stands_after_its_needs(make_recipe) -> None:  # type: ignore[no-untyped-def]
    seen: set[str] = set()
    for step in make_plan(load(make_recipe(rag={"sources": ["lore"]}, questions=["Why?"]))).steps:
        assert set(step.needs) <= seen
        seen.add(step.name)


def test_sections_left_out_leave_their_steps_out(make_recipe) -> None:  # type: ignore[no-untyped-def]
    plan = make_plan(load(make_recipe(axolotl=None)))
    assert [step.name for step in plan.steps] == ["extract", "prepare", "serve"]
    assert plan.step("serve").needs == ()
    with pytest.raises(LorewrightError, match="has no stage 'train'"):
        plan.step("train")


def test_paths_of_shared_lore_lie_with_the_collection(make_recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    plan = make_plan(load(make_recipe(rag={"sources": ["lore"], "collection": "world"})))
    paths = Paths(tmp_path, "small")
    assert paths.folder(plan.step("ingest"), "abc") == tmp_path / "collections" / "world" / "abc"
    assert paths.folder(plan.step("train"), "abc") == tmp_path / "small" / "train" / "abc"
    assert paths.partial(plan.step("train"), "abc") == tmp_path / "small" / "train" / "abc.partial"
