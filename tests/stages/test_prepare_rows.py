"""The prepare stage for rows: what it leaves, what it refuses, and that Axolotl reads the whole of it by the rendered configuration."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lorewright.errors import LorewrightError
from lorewright.recipe import load
from lorewright.stages import Run
from lorewright.stages.prepare import prepare
from lorewright.training.render import axolotl_config, to_yaml
from tests.data.formats.conftest import WORKER
from tests.warm import Warm

TRAIN = {"adapter": "lora", "lora_r": 8, "lora_alpha": 16, "lora_target_linear": True, "micro_batch_size": 1, "gradient_accumulation_steps": 1, "num_epochs": 1, "sequence_len": 256, "learning_rate": 1e-4, "optimizer": "adamw_torch"}  # fmt: skip
LONG = "The tide came in over the slip and went out again. Nobody had asked it to. " * 60


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    folder = tmp_path / "rows"
    folder.mkdir()
    with open(folder / "a.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["ask", "say"], *([f"What of tide {n}?", f"{n}. {LONG}"] for n in range(6)), ["only a prompt", ""]])
    (folder / "b.jsonl").write_text('{"ask": "Last?", "say": "Last."}\nbroken\n')
    return folder


def prepared(run: Run, folder: Path) -> dict[str, Any]:
    run.work = folder
    return prepare(run.plan.step("prepare"), run)


def pairs_recipe(make_recipe: Callable[..., Path], rows: Path, model: Path) -> Path:
    data = {
        "sources": [str(rows)],
        "format": "pairs",
        "pairs": {"prompt": "ask", "completion": "say", "max_tokens": 256, "context_keep": 32},
        "validation": 0.2,
    }
    return make_recipe(base_model=str(model), axolotl=TRAIN, data=data)


@pytest.mark.req("Z3", "Z5")
@pytest.mark.real
def test_axolotl_reads_the_prepared_pairs_by_the_rendered_configuration(
    make_recipe: Callable[..., Path], run_of: Callable[..., Run], rows: Path, tiny_model: Path, tmp_path: Path, warm_axolotl: Warm
) -> None:
    run = run_of(pairs_recipe(make_recipe, rows, tiny_model))
    facts = prepared(run, tmp_path / "work")
    assert (facts["rows"], facts["left_out"]) == (7, 2)
    config, _ = axolotl_config(run.recipe, training="training.jsonl", validation="validation.jsonl", accelerator="cpu")
    (tmp_path / "work" / "axolotl.yaml").write_text(to_yaml(config, "test"))
    code = warm_axolotl.run([str(WORKER), "axolotl.yaml", "out.jsonl"], tmp_path / "work", tmp_path / "log")
    assert code == 0, (tmp_path / "log").read_text()[-2000:]
    made = [json.loads(line) for line in (tmp_path / "work" / "out.jsonl").read_text().splitlines()]
    assert [one["split"] for one in made] == ["train"] * facts["training"] + ["validation"] * facts["validation"]
    assert all(len(one["input_ids"]) <= 256 for one in made)
    assert all(0 < sum(label != -100 for label in one["labels"]) < len(one["labels"]) for one in made)


@pytest.mark.req("R3")
def test_what_is_left_out_is_listed_and_the_rest_is_the_same_for_a_seed(
    make_recipe: Callable[..., Path], run_of: Callable[..., Run], rows: Path, tiny_model: Path, tmp_path: Path
) -> None:
    recipe = pairs_recipe(make_recipe, rows, tiny_model)
    prepared(run_of(recipe), tmp_path / "one")
    prepared(run_of(recipe), tmp_path / "two")
    for name in ("training.jsonl", "validation.jsonl", "style.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    rejected = [json.loads(line) for line in (tmp_path / "one" / "rejected.jsonl").read_text().splitlines()]
    assert [(one["place"], one["reason"][:18]) for one in rejected] == [("b.jsonl:2", "is not JSON (Expec"), ("a.csv:8", "say is empty")]


def test_no_row_at_all_is_an_error_with_the_way_out(
    make_recipe: Callable[..., Path], run_of: Callable[..., Run], rows: Path, tmp_path: Path
) -> None:
    recipe = make_recipe(data={"sources": [str(rows)], "format": "qa"})
    with pytest.raises(LorewrightError, match="no row gave an example; format qa wants rows with data.qa.question"):
        prepared(run_of(recipe), tmp_path / "work")


@pytest.mark.req("R1")
def test_the_shipped_report_becomes_plain_text(run_of: Callable[..., Run], repo: Path, tmp_path: Path, tiny_model: Path) -> None:
    facts = prepared(run_of(repo / "configs/report_chapters.yaml", f"base_model={tiny_model}"), tmp_path / "work")
    assert facts["left_out"] == 0
    assert facts["validation"] > 0
    lines = (tmp_path / "work" / "training.jsonl").read_text(encoding="utf-8").splitlines()
    assert any(json.loads(line)["text"].startswith("### INTRODUCTION") for line in lines)


@pytest.mark.req("P3")
def test_the_shipped_questions_are_answered_word_for_word(
    make_recipe: Callable[..., Path], run_of: Callable[..., Run], repo: Path, tmp_path: Path
) -> None:
    recipe = make_recipe(data={"sources": [str(repo / "fine-tuning/data/questions")], "format": "qa"})
    facts = prepared(run_of(recipe), tmp_path / "work")
    assert (facts["rows"], facts["left_out"], facts["validation"] > 0) == (14, 0, True)
    lines = (tmp_path / "work" / "training.jsonl").read_text(encoding="utf-8").splitlines()
    prose = "".join(file.read_text(encoding="utf-8") for file in (repo / "fine-tuning/data/raw").iterdir())
    assert all(json.loads(line)["messages"][-1]["content"] in prose for line in lines)


def test_only_what_a_format_uses_is_in_its_fingerprint(
    make_recipe: Callable[..., Path], run_of: Callable[..., Run], rows: Path, tmp_path: Path
) -> None:
    plain = run_of(make_recipe()).plan.step("prepare")
    assert {"qa", "pairs", "sections", "charts"} & plain.part.keys() == set()
    step = run_of(pairs_recipe(make_recipe, rows, tmp_path / "base")).plan.step("prepare")
    assert "pairs" in step.part
    assert step.texts == ()
    assert step.files == (str(rows), f"{tmp_path / 'base'}/*.j*")


@pytest.mark.parametrize(("override", "said"), [
    ("data.qa={thinking: rows}", "data.qa: is for format qa; this recipe's is pairs"),
    ("data.pairs.max_tokens=300", "data.pairs.max_tokens: must be at most axolotl.sequence_len (256), got 300; Axolotl drops longer examples"),
    ("data.pairs.context_keep=200", "data.pairs.context_keep: must be at most half of pairs.max_tokens (256), got 200"),
    ("data.format=passage", 'data.format: "passage" is not one of passages, completion, qa, pairs, sections, charts; did you mean passages?'),
    ("data.charts={start_year: 2000, end_year: 1990}", "data.charts.start_year: must be at most charts.end_year (1990), got 2000"),
])  # fmt: skip
def test_contradictions_are_told(make_recipe: Callable[..., Path], rows: Path, tiny_model: Path, override: str, said: str) -> None:
    with pytest.raises(LorewrightError) as caught:
        load(pairs_recipe(make_recipe, rows, tiny_model), (override,))
    assert said in str(caught.value)


def test_only_charts_need_no_sources(make_recipe: Callable[..., Path]) -> None:
    assert load(make_recipe(axolotl=None, data={"format": "charts"})).data
    with pytest.raises(LorewrightError, match="data: 'sources' is missing"):
        load(make_recipe(data={"format": "qa"}))
