"""Recipes: what is read, what is refused and in which words."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from lorewright.errors import LorewrightError, RecipeError
from lorewright.recipe import load

BAD = sorted((Path(__file__).parents[1] / "bad_recipes").glob("*.yaml"), key=lambda path: path.name)


def problems(path: Path | str, *overrides: str) -> list[str]:
    with pytest.raises(LorewrightError) as caught:
        load(path, overrides)
    return caught.value.problems if isinstance(caught.value, RecipeError) else [str(caught.value)]


def test_every_bad_recipe_is_told_as_expected(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line a problem, in the words that tests/bad_recipes/expected.txt keeps."""
    monkeypatch.chdir(repo)
    assert len(BAD) == 20
    told = [line for path in BAD for line in problems(path.relative_to(repo))]
    assert "\n".join(told) + "\n" == (repo / "tests/bad_recipes/expected.txt").read_text(encoding="utf-8")
    assert all("\n" not in line for line in told)


def test_huge_file_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "huge.yaml"
    with open(file, "wb") as sink:
        sink.truncate(50_000_000)
    assert problems(file) == [f"{file}: is 50 MB; a recipe is at most 1 MB"]


def test_missing_file_folder_and_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "no such file" in problems(tmp_path / "none.yaml")[0]
    assert "is a folder" in problems(tmp_path)[0]
    assert "not a regular file" in problems(tmp_path / "pipe.yaml")[0]


def test_defaults_come_from_the_schema_and_paths_from_the_file(make_recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "lore").mkdir(exist_ok=True)
    file = make_recipe(rag={"sources": ["lore"]})
    recipe = load(file)
    assert recipe.data and recipe.rag
    assert (recipe.data.chunk.overlap, recipe.data.validation, recipe.rag.top_k, recipe.rag.port) == (0, 0.1, 5, 8001)
    assert recipe.data.sources == (str(file.parent / "texts"),)
    assert recipe.resolved["data"]["chunk"] == {"unit": "words", "min": 20, "max": 80, "overlap": 0}


def test_extends_merges_mappings_and_replaces_lists(tmp_path: Path, make_recipe) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "lore").mkdir(exist_ok=True)
    make_recipe("base", questions=["One?", "Two?"], rag={"sources": ["lore"], "top_k": 2, "port": 9001})
    (tmp_path / "deeper").mkdir()
    child = tmp_path / "deeper" / "child.yaml"
    child.write_text("recipe: child\nextends: ../base.yaml\nquestions: [Three?]\nrag: {top_k: 7}\naxolotl: {lora_r: 4}\n")
    recipe = load(child)
    assert recipe.name == "child"
    assert recipe.questions == ("Three?",)
    assert recipe.rag and (recipe.rag.top_k, recipe.rag.port) == (7, 9001)
    assert recipe.axolotl == {"adapter": "lora", "lora_r": 4, "micro_batch_size": 1, "num_epochs": 1}
    assert recipe.rag.sources == (str(tmp_path / "lore"),), "a path belongs to the file it was written in"


def test_set_overrides_and_is_checked_again(make_recipe) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    recipe = load(file, ("axolotl.learning_rate=2e-4", "data.chunk.max=90", "vllm.max_num_seqs=3"))
    assert recipe.axolotl and recipe.axolotl["learning_rate"] == 2e-4
    assert recipe.data and recipe.data.chunk.max == 90
    assert recipe.vllm == {"max_num_seqs": 3}
    assert problems(file, "axolotl.lora_r=big") == ['--set axolotl.lora_r=big: axolotl.lora_r: expected integer, got "big"']
    assert "not of the form" in problems(file, "axolotl.lora_r")[0]
    assert "single value" in problems(file, "recipe.x=1")[0]


def test_numbers_with_exponents_are_numbers(make_recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    file.write_text(file.read_text() + "vllm: {seed: 7, swap_space: 1e0}\n".replace(", swap_space: 1e0", ""))
    file.write_text(file.read_text().replace("num_epochs: 1", "learning_rate: 2e-4"))
    recipe = load(file)
    assert recipe.axolotl and recipe.axolotl["learning_rate"] == pytest.approx(0.0002)


@pytest.mark.parametrize("key", ["datasets", "output_dir", "base_model", "chat_template", "resume_from_checkpoint"])
def test_owned_keys_say_where_to_set_them(make_recipe, key: str) -> None:  # type: ignore[no-untyped-def]
    line = problems(make_recipe(), f"axolotl.{key}=x")
    assert any(re.search(rf"axolotl\.{key}: belongs to lorewright; \w+", text) for text in line)


def test_a_problem_is_told_where_the_child_wrote_it(tmp_path: Path, make_recipe) -> None:  # type: ignore[no-untyped-def]
    make_recipe("base")
    child = tmp_path / "child.yaml"
    child.write_text("extends: base.yaml\nrecipe: child\naxolotl:\n  lora_r: many\n")
    assert problems(child) == [f'{child}:4: axolotl.lora_r: expected integer, got "many"']


@pytest.mark.parametrize(("override", "said"), [
    ("data={1: 2}", "a key must be text"), ("extends=x.yaml", "extends is read before --set"),
    ("recipe=services", "is a folder that all recipes share"), ("vllm.api_key=secret", "a secret stands in the environment"),
    ("questions=[*a]", "is not a YAML value"),
])  # fmt: skip
def test_overrides_are_read_as_strictly_as_files(make_recipe, override: str, said: str) -> None:  # type: ignore[no-untyped-def]
    assert any(said in line for line in problems(make_recipe(), override))


def test_lore_below_the_manuscripts_is_refused(make_recipe) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe(rag={"sources": ["texts"]})
    assert any("holds lore of rag.sources, which would be trained as prose" in line for line in problems(file))


@pytest.mark.req("F7")
def test_lore_keys_that_contradict_each_other_are_told(make_recipe) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe(rag={"sources": ["lore"], "chunk_words": 60, "chunk_overlap": 31, "rerank": {"deadline_ms": 5}})
    said = "\n".join(problems(file))
    assert "rag.chunk_overlap: must be at most half of rag.chunk_words (60), got 31" in said
    assert "rag.rerank: 'model' is missing" in said


@pytest.mark.req("F8")
@pytest.mark.parametrize(
    ("template", "said"),
    [
        (
            "{source.__class__} {text}",
            "unknown field {source.__class__}; there are {number}, {source}, {category}, {title}, {heading}, {text}",
        ),
        ("{} {text}", "unknown field {}"),
        ("{text", "expected '}' before end of string; a brace that is meant as one is written twice"),
        ("{number:zz} {text}", "a brace that is meant as one is written twice"),
        ("{source}", "has no {text}, so the model would never see a passage"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_told(make_recipe, template: str, said: str) -> None:  # type: ignore[no-untyped-def]
    (problem,) = problems(make_recipe(rag={"sources": ["lore"], "template": template}))
    assert "rag.template: " in problem and said in problem


def test_null_takes_a_mapping_or_a_list_of_the_base_away(make_recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    base = make_recipe(rag={"sources": ["lore"]}, questions=["Who?"])
    top = tmp_path / "top.yaml"
    top.write_text(f"recipe: top\nextends: {base.name}\nrag: null\nquestions: null\nchat_template: null\n")
    recipe = load(top)
    assert (recipe.rag, recipe.questions, recipe.chat_template) == (None, (), None)
    assert load(base, ("rag=null", "questions=null")).rag is None


def test_base_model_folders_are_looked_for(make_recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    assert problems(file, f"base_model={tmp_path}/gone")[0].endswith(
        f"base_model: {tmp_path}/gone: no such folder; paths are relative to the recipe"
    )
    file.write_text(file.read_text().replace(str(tmp_path / "base"), "base"))
    assert "would be looked for on the hub; did you mean the folder ./base?" in problems(file)[0]


def test_the_home_folder_may_be_written_short(make_recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("HOME", str(tmp_path))
    recipe = load(make_recipe(), ("data.sources=['~/texts']", "base_model=~/base"))
    assert recipe.data and recipe.data.sources == (f"{tmp_path}/texts",)
    assert recipe.base_model == f"{tmp_path}/base"


def test_a_date_is_text(make_recipe) -> None:  # type: ignore[no-untyped-def]
    assert load(make_recipe(), ("recipe=2026-01-01",)).name == "2026-01-01"


def test_a_name_at_the_end_of_an_address_is_no_revision(make_recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from lorewright.recipe import split_revision

    assert split_revision("/home/jane@corp.com/model") == ("/home/jane@corp.com/model", "")
    assert split_revision("org/model@v2") == ("org/model", "v2")
    assert split_revision("org/model") == ("org/model", "")


def test_merge_keys_and_anchors_work(tmp_path: Path, make_recipe) -> None:  # type: ignore[no-untyped-def]
    make_recipe()
    file = tmp_path / "anchors.yaml"
    file.write_text(
        "recipe: anchors\nbase_model: m\ndata:\n  sources: &s [texts]\n  chunk: {<<: {min: 5, max: 90}, max: 50}\nrag: {sources: [lore], top_k: &k 3}\nquestions: &q [a]\n"
    )
    recipe = load(file)
    assert recipe.data and (recipe.data.chunk.min, recipe.data.chunk.max) == (5, 50)
    assert recipe.questions == ("a",)


@pytest.mark.req("F4")
@pytest.mark.parametrize(("written", "said"), [
    ("micro_bach", "[0]: expected micro_batch, checkpointing, offload, quantise, sequence_len, rank, attention_only or mapping"),
    ("{ranks: 8}", "[0].ranks: unknown key; did you mean rank?"), ("{rank: big}", "[0].rank: expected integer"), ("{}", "[0]: names no step"),
    ("{rank: 8, micro_batch: 2}", "[0]: rank and micro_batch are 2 steps; write each as an entry of its own"),
    ("{rank: 8, axolotl: {}}", "[0]: axolotl stands beside fallback_model only"),
    ("{fallback_model: ./none}", "[0].fallback_model: ./none: no such folder"),
    ("{fallback_model: a/b, axolotl: {lora_rr: 3}}", "[0].axolotl.lora_rr: unknown key; did you mean lora_r?"),
    ("{fallback_model: a/b, axolotl: {output_dir: x}}", "[0].axolotl.output_dir: belongs to lorewright"),
])  # fmt: skip
def test_a_step_of_the_ladder_is_one_known_thing(make_recipe, written: str, said: str) -> None:  # type: ignore[no-untyped-def]
    assert any(f"train.on_out_of_memory{said}" in line for line in problems(make_recipe(), f"train.on_out_of_memory=[{written}]"))


def test_steps_of_the_ladder_are_read_and_a_fallback_folder_belongs_to_its_file(make_recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "less").mkdir()
    steps = ["micro_batch", {"rank": 16}, {"fallback_model": "./less", "axolotl": {"lora_r": 4}}]
    recipe = load(make_recipe(train={"on_out_of_memory": steps}))
    assert [(rung.step, rung.value, rung.axolotl) for rung in recipe.train.on_out_of_memory] == [
        ("micro_batch", None, {}), ("rank", 16, {}), ("fallback_model", str(tmp_path / "less"), {"lora_r": 4}),
    ]  # fmt: skip
    assert load(make_recipe(train={"on_out_of_memory": []})).train.on_out_of_memory == ()
