"""The shipped persona recipe's data part, offline: passages cut from the sample prose, a scripted server asks about each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lorewright.errors import RecipeError
from lorewright.recipe import load
from lorewright.runner import Choice, execute
from lorewright.stages import Run
from tests.data.augment.conftest import Served, serve  # noqa: F401 (a fixture)
from tests.fakes.chat_server import questions


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.req("P1", "P3", "P5", "Z2")
def test_the_persona_recipe_asks_two_questions_about_each_passage(
    serve: Callable[..., Served],  # noqa: F811
    run_of: Callable[..., Run],
    repo: Path,
    tiny_model: Path,
    fake_tools: Path,
) -> None:
    served = serve(questions, faults=0.1)
    told = (f"base_model={tiny_model}", f"data.augment.base_url={served.url}", "data.augment.timeout=1", "data.augment.retries=8")
    run = run_of(repo / "configs/persona_qa.yaml", *told)
    execute(run, Choice(only=("prepare",)))
    folder = run.done["prepare"]
    training, validation = lines(folder / "training.jsonl"), lines(folder / "validation.jsonl")
    prose = " ".join("".join(file.read_text(encoding="utf-8") for file in sorted((repo / "fine-tuning/data/raw").iterdir())).split())
    for example in training + validation:
        system, user, answer = example["messages"]
        assert system["content"].startswith("You are Josip Marrable")
        assert user["content"].endswith("?")
        assert all(" ".join(block.split()) in prose for block in answer["content"].split("\n\n") if block != "* * *")
    asked = Counter((example["document"], example["passage"]) for example in training + validation)
    assert set(asked.values()) == {2}
    assert len(asked) > 20
    assert not {example["document"] for example in training} & {example["document"] for example in validation}
    step = json.loads((folder / "step.json").read_text())
    assert step["facts"]["training"] == len(training)
    assert sum(served.chat.well.values()) == len(asked), "no passage is paid for twice, and none that stands on no side"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"format": "qa", "augment": {"job": "answers"}}, "must be qa for format qa"),
        ({"augment": {"job": "qa"}}, "questions about passages make format qa; this recipe's is passages"),
    ],
)
def test_a_job_that_does_not_fit_the_format_is_told(make_recipe: Callable[..., Path], data: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        load(make_recipe(data={"sources": ["texts"], **data}))


def test_answers_outlive_a_changed_recipe_and_a_changed_wording_asks_again(
    serve: Callable[..., Served],  # noqa: F811
    run_of: Callable[..., Run],
    make_recipe: Callable[..., Path],
    tmp_path: Path,
) -> None:
    served = serve(questions)
    (tmp_path / "wording.yaml").write_text("user: 'Ask {count} questions: {passage}'")
    asks = {"job": "qa", "base_url": served.url, "model": "m", "prompt": "wording.yaml"}
    data = {"sources": ["texts"], "format": "qa", "augment": asks, "chunk": {"unit": "words", "min": 20, "max": 80}, "clean": {"near_duplicates": False, "duplicates": False}}  # fmt: skip
    recipe = make_recipe(data=data, axolotl=None)
    execute(run_of(recipe), Choice(only=("prepare",)))
    once = sum(served.chat.well.values())
    assert once > 4
    execute(run_of(recipe, "data.validation=0.3"), Choice(only=("prepare",), force=True))
    more = sum(served.chat.well.values()) - once
    assert more < once, "only passages that stood on no side before"
    before = sum(served.chat.well.values())
    execute(run_of(recipe), Choice(only=("prepare",), force=True))
    assert sum(served.chat.well.values()) == before
    (tmp_path / "wording.yaml").write_text("user: 'Now ask {count} questions: {passage}'")
    execute(run_of(recipe), Choice(only=("prepare",)))
    assert sum(served.chat.well.values()) > before
