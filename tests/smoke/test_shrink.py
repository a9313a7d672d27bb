"""What a smoke run makes smaller, as values; and which files it reads."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from lorewright.recipe import Recipe, load
from lorewright.recipe.check import TOOLS, schema
from lorewright.smoke import small_of
from lorewright.smoke.sample import FILES, USUAL, sample
from lorewright.smoke.shrink import CHARTS, EXAMPLES, QUESTION, STEPS, shrunk
from lorewright.training.several import for_each
from tests.conftest import REPO

CONFIGS = sorted((REPO / "configs").glob("*.yaml"))


def small(recipe: Recipe) -> Recipe:
    return small_of(recipe).recipe


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_every_recipe_has_a_small_one_that_is_valid_and_apart(file: Path) -> None:
    whole = load(file)
    before = copy.deepcopy(dict(whole.resolved))
    made = small(whole)
    schemas = [(f"{tool}.schema.json", Resource.from_contents(schema(tool))) for tool in TOOLS]
    checker = Draft202012Validator(schema("recipe"), registry=Registry().with_resources(schemas))
    assert [error.message for error in checker.iter_errors(dict(made.resolved))] == []
    assert whole.resolved == before, "the whole recipe is left as it is"
    assert made.name == f"{whole.name}-smoke"
    assert (made.base_model, made.vllm, made.chat_template) == (whole.base_model, whole.vllm, whole.chat_template)
    assert made.serve.port != whole.serve.port
    if whole.rag and made.rag:
        assert made.rag.collection == f"{whole.rag.collection}-smoke"
        assert made.rag.port not in (whole.rag.port, made.serve.port)
        assert len(made.questions) == 1


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_what_decides_memory_stays_and_what_decides_time_does_not(file: Path) -> None:
    whole, made = load(file), small(load(file))
    assert whole.axolotl is not None and made.axolotl is not None and made.data
    kept = {key for key, value in whole.axolotl.items() if made.axolotl.get(key) == value}
    timing = {"gradient_accumulation_steps", "logging_steps", "evals_per_epoch", "saves_per_epoch"}
    assert set(whole.axolotl) - kept <= timing
    assert made.axolotl["max_steps"] == made.axolotl["save_steps"] == made.axolotl["eval_steps"] == STEPS
    assert made.data.max_samples and EXAMPLES <= made.data.max_samples <= 32
    assert made.data.charts.count <= CHARTS


def test_keys_that_decide_when_are_not_given_twice(make_recipe: Callable[..., Path]) -> None:
    """Axolotl refuses evals_per_epoch beside eval_steps, and saves_per_epoch beside save_steps."""
    given = {"adapter": "lora", "eval_strategy": "epoch", "save_strategy": "no", "max_steps": 2, "hub_model_id": "me/voice"}
    made = small(load(make_recipe(axolotl=given)))
    assert made.axolotl == {
        "adapter": "lora", "save_strategy": "no", "max_steps": 2, "eval_steps": 2, "gradient_accumulation_steps": 1, "logging_steps": 1,
    }  # fmt: skip
    often = {"adapter": "lora", "save_strategy": "epoch", "saves_per_epoch": 2, "evals_per_epoch": 2}
    made = small(load(make_recipe(axolotl=often)))
    assert set(made.axolotl or {}) == {"adapter", "save_steps", "eval_steps", "max_steps", "gradient_accumulation_steps", "logging_steps"}
    assert "eval_steps" not in (small(load(make_recipe(axolotl={"adapter": "lora"}))).axolotl or {})


@pytest.mark.parametrize(
    ("keep", "gathered", "said"),
    [
        (True, 4, (4, 2, 4)),  # each card takes the recipe's micro-batch, as in the real run
        (True, 1, (2, 2, 2)),  # the real run shares the four examples of a step: two each
        (False, 4, (4, 1, 4)),
    ],
)
def test_two_cards_try_the_micro_batch_of_the_real_run(
    make_recipe: Callable[..., Path], keep: bool, gathered: int, said: tuple[int, int, int]
) -> None:
    axolotl = {"adapter": "lora", "micro_batch_size": 4, "gradient_accumulation_steps": gathered}
    made = small_of(load(make_recipe(axolotl=axolotl, train={"keep_batch": keep, "devices": 2})), cards=2).recipe
    assert made.axolotl and made.data
    each = for_each(made.axolotl, 2) if keep else made.axolotl
    assert (made.axolotl["micro_batch_size"], made.axolotl["gradient_accumulation_steps"], each["micro_batch_size"]) == said
    assert each["gradient_accumulation_steps"] == 1
    assert made.data.max_samples == 2 * STEPS * 4 * 2


def test_a_smaller_wish_of_the_recipe_is_kept_and_a_packed_set_fills_its_windows(make_recipe: Callable[..., Path]) -> None:
    data = {"sources": ["texts"], "max_samples": 5}
    few = small(load(make_recipe(data=data))).data
    assert few and few.max_samples == 5
    packed = small(load(make_recipe(axolotl={"adapter": "lora", "sample_packing": True, "micro_batch_size": 8}))).data
    assert packed and packed.max_samples == 2 * STEPS * 8 * 8


def test_a_lore_without_questions_is_asked_one_and_long_names_stay_names(make_recipe: Callable[..., Path]) -> None:
    name = "a" * 63
    made = small(load(make_recipe(name, rag={"sources": ["lore"], "collection": name, "port": 65500}, data=None, axolotl=None)))
    assert made.questions == (QUESTION,)
    assert made.rag and made.rag.port == 65400
    assert made.name == made.rag.collection == "a" * 57 + "-smoke"


def test_the_recipes_own_server_is_asked_where_the_real_recipe_has_it() -> None:
    whole = load(REPO / "configs/persona_qa.yaml", ('data.augment.model=""', "serve.host=0.0.0.0"))
    asked = shrunk(whole.resolved, (), ())["data"]["augment"]
    assert (asked["base_url"], asked["model"]) == ("http://127.0.0.1:8000/v1", "persona_qa")
    elsewhere = load(REPO / "configs/ziwei_gpt_oss_nf4.yaml")
    assert shrunk(elsewhere.resolved, (), ())["data"]["augment"] == elsewhere.resolved["data"]["augment"]


def test_little_is_taken_whole_as_the_recipe_names_it(tmp_path: Path) -> None:
    for number in range(FILES):
        (tmp_path / f"{number}.md").write_text("word " * 20)
    found = sample([str(tmp_path)], most=FILES * 100)
    assert found.sources == (str(tmp_path),)
    assert (found.times, found.said("sources")) == (1.0, "all sources")


def test_of_much_every_kind_is_taken_no_giant_and_no_empty_file(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number:02}.txt").write_text("x" * 1000 * number)
    (tmp_path / "only.md").write_text("y")
    (tmp_path / "giant.txt").write_text("z" * 3_000_000)
    (tmp_path / "picture.png").write_text("no lore")
    found = sample([str(tmp_path), str(tmp_path / "01.txt")], 200_000, (".txt", ".md"))
    names = {Path(file).name for file in found.sources}
    assert "only.md" in names and not names & {"giant.txt", "00.txt", "picture.png"}
    assert found.files == len(names) <= FILES
    assert found.bytes == sum(Path(file).stat().st_size for file in found.sources) <= 200_000
    assert found.said("files") == f"{found.files} of 42 files"
    assert found.times == pytest.approx(found.all_bytes / found.bytes) and found.times > 15


def test_a_single_giant_is_taken_whole(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("x" * 20 * USUAL)
    assert sample([str(tmp_path)], most=USUAL).files == 1
    assert sample([], most=1).times == 1.0
