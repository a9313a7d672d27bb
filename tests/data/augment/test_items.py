"""Prompt files, and the recipe's part."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorewright.data.augment import good_prompts, read_prompts
from lorewright.data.augment.prompts import filled, load_prompt
from lorewright.errors import LorewrightError
from lorewright.recipe import load
from tests.conftest import MakeRecipe


@pytest.mark.req("Z2")
def test_prompts_a_line_between_rules_and_in_json(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One?\r\n\r\n  Two?  \n", encoding="utf-8")
    assert [(item.name, item.text) for item in read_prompts(tmp_path / "a.txt")] == [("a.txt:1", "One?"), ("a.txt:3", "Two?")]
    (tmp_path / "b.txt").write_text("One\nand more\n---\n\n---\nTwo\n", encoding="utf-8")
    assert [(item.name, item.text) for item in read_prompts(tmp_path / "b.txt")] == [("b.txt:1", "One\nand more"), ("b.txt:6", "Two")]
    (tmp_path / "c.jsonl").write_text('{"id": 7, "prompt": "One?", "seed": 3}\n\n"Two?"\n', encoding="utf-8")
    assert [(item.name, item.text, item.origin) for item in read_prompts(tmp_path / "c.jsonl")] == [
        ("7", "One?", {"id": 7, "seed": 3}),
        ("c.jsonl:3", "Two?", {}),
    ]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.jsonl", '{"prompt": "x"}\n{"prompt": \n', r"a\.jsonl:2: is not JSON"), ("a.jsonl", '{"words": "x"}', r"a\.jsonl:1: has no prompt"),
        ("a.jsonl", '{"prompt": "\\ud800"}', "half a character"), ("a.txt", " \n\n", "holds no prompt"), ("a.txt", "a\0b", "zero bytes"),
        ("a.jsonl", "[" * 100_000, "is not JSON"),
    ],
)  # fmt: skip
def test_a_bad_prompt_file_is_told_by_line(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(LorewrightError, match=told):
        read_prompts(tmp_path / name)
    with pytest.raises(LorewrightError, match="No such file"):
        read_prompts(tmp_path / "none.txt")


def test_prompt_files_are_filled_and_checked(tmp_path: Path, repo: Path) -> None:
    assert filled("{a} {b} {c}", a="{b}", b=2) == "{b} 2 {c}"
    shipped = sorted((repo / "fine-tuning/prompts").glob("*.yaml"))
    assert [file.stem for file in shipped] == ["answers", "charts", "qa"]
    for file in shipped:
        assert load_prompt("", str(file), "passage" if file.stem == "qa" else "prompt").messages(prompt="P", passage="P")[-1]["content"]
    for text in ("user: no place for it", "- a list", "user: [", "\tx"):
        (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(LorewrightError, match="see fine-tuning/prompts for its form"):
            load_prompt("qa", str(tmp_path / "own.yaml"), "passage")


def test_the_recipes_part(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("user: '{passage}'")
    data = {
        "sources": ["texts"],
        "format": "qa",
        "augment": {"job": "qa", "prompt": "own.yaml", "prices": {"m": {"input": 1, "output": 2}}},
    }
    found = load(make_recipe(data=data)).data
    assert found and found.augment
    assert (found.augment.prompt, found.augment.per_passage, found.augment.coverage) == (str(tmp_path / "own.yaml"), 2, 0.9)
    assert "in_flight" not in found.augment.part() and found.augment.part()["temperature"] == 0.7
    for wrong, told in (
        ({"job": "qa", "prompt": "none.yaml"}, "data.augment.prompt: none.yaml: no such file"),
        ({"job": "qa", "endpoint": "xai"}, "data.augment: model is missing"),
        ({"job": "qa", "prices": {"m": {"input": "x"}}}, "data.augment.prices.m"),
        ({"endpoint": "own"}, "'job' is missing"),
        ({"job": "qa", "coverage": 2}, "must be at most 1"),
    ):
        with pytest.raises(LorewrightError) as caught:
            load(make_recipe(data={"sources": ["texts"], "augment": wrong}))
        assert told in str(caught.value)


def test_a_json_list_and_the_entries_that_give_none(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"id": "x", "question": "One?", "n": 1}, {"words": "?"}, "Two?"]')
    items, bad = good_prompts(tmp_path / "a.json")
    assert [(item.name, item.text, item.origin) for item in items] == [("x", "One?", {"id": "x", "n": 1}), ("a.json:3", "Two?", {})]
    assert [str(problem) for problem in bad] == [
        f"{tmp_path}/a.json, entry 2: has no prompt; give it as text under prompt, text, question, instruction"
    ]
    (tmp_path / "b.json").write_text('{"prompt": "One?"}')
    with pytest.raises(LorewrightError, match="is no JSON list"):
        good_prompts(tmp_path / "b.json")
