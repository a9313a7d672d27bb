"""passages, completion and qa: what is asked, what is answered, and that Axolotl trains exactly the answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorewright.data.formats import CHAT, completion, passages, qa
from lorewright.data.formats.passages import Passage
from lorewright.data.formats.rows import Row
from lorewright.data.formats.template import Template
from lorewright.recipe import Qa, load
from lorewright.training.render import axolotl_config

from .conftest import THINKING

PASSAGE = Passage(
    "a.md",
    "Late",
    1,
    "The bell rang. Nobody came down. I waited with my hat in my hands.\n\n* * *\n\nMorning came at last. “Well?” said Anna.",
)
PLAIN = Qa("question", "answer", "none")
ROWS = [
    Row("qa.jsonl", 1, {"question": "Who rang?", "answer": "The tide rang.", "thinking": "It was late."}),
    Row("qa.jsonl", 2, {"question": "Who came?", "answer": "Nobody came down.", "system": "You are Anna."}),
]
Preprocess = Callable[..., list[dict[str, Any]]]


def trained(example: dict[str, Any], template: Template) -> str:
    return str(template.tokenizer.decode([token for token in example["labels"] if token != -100]))


@pytest.mark.req("F3", "P2", "P3", "P4")
@pytest.mark.real
def test_axolotl_trains_the_answer_and_its_end_and_nothing_else(template: Template, axolotl: Preprocess) -> None:
    items, _ = qa.items(ROWS, PLAIN, "You are brief.")
    examples = [passages.example(PASSAGE, "You are brief.", 1), completion.example(PASSAGE, "You are brief.", 1)]
    examples += [item.examples[0] for item in items]
    found = axolotl([{"messages": one["messages"]} for one in examples], {"ds_type": "json", **CHAT})
    answers = [one["messages"][-1]["content"] for one in examples]
    assert [trained(one, template) for one in found] == [f"{answer}<|im_end|>" for answer in answers]
    shown = [template.tokenizer.decode(one["input_ids"]) for one in found]
    assert shown[0].startswith("<|im_start|>system\nYou are brief.<|im_end|>\n<|im_start|>user\n")
    assert shown[3].startswith("<|im_start|>system\nYou are Anna.")


@pytest.mark.req("P4", "P5")
@pytest.mark.real
def test_empty_thinking_tags_are_masked_and_a_thought_is_trained_where_rows_say_so(template: Template, axolotl: Preprocess) -> None:
    settings = {"chat_template": "jinja", "chat_template_jinja": THINKING}
    for thinking, wanted in (("none", "The tide rang.<|im_end|>"), ("rows", "It was late.\n</think>\n\nThe tide rang.<|im_end|>")):
        items, _ = qa.items(ROWS, Qa("question", "answer", thinking), "")
        found = axolotl(
            [item.examples[0] for item in items],
            {"ds_type": "json", **CHAT},
            chat_template_kwargs={"enable_thinking": thinking == "rows"},
            **settings,
        )
        assert trained(found[0], template) == wanted
        assert trained(found[1], template) == "Nobody came down.<|im_end|>"
        assert "<think>\n\n</think>\n\nNobody came down." in template.tokenizer.decode(found[1]["input_ids"])


@pytest.mark.req("P5")
def test_the_thinking_switch_reaches_axolotl(make_recipe: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "qa.jsonl").write_text("{}")
    for given_, wanted in (({}, False), ({"qa": {"thinking": "rows"}}, True)):
        recipe = load(make_recipe(data={"sources": ["qa.jsonl"], "format": "qa", **given_}))
        config, _ = axolotl_config(recipe, training="t", validation=None, accelerator="cuda")
        assert config["chat_template_kwargs"] == {"enable_thinking": wanted}
    recipe = load(make_recipe(data={"sources": ["qa.jsonl"], "format": "qa"}), ("axolotl.chat_template_kwargs={enable_thinking: true}",))
    assert axolotl_config(recipe, training="t", validation=None, accelerator="cuda")[0]["chat_template_kwargs"] == {"enable_thinking": True}


def test_the_thinking_template_shows_the_tags_to_pairs_too(template: Template) -> None:
    found = Template(template.tokenizer, THINKING).around("", "Why?")
    assert found.before.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert found.end == "<|im_end|>"


@pytest.mark.req("P2")
def test_completion_gives_a_beginning_and_trains_the_rest() -> None:
    one = completion.example(PASSAGE, "You are brief.", 1)
    system, user, answer = (turn["content"] for turn in one["messages"])
    assert system == "You are brief."
    assert user.endswith((".", "”"))
    assert "".join((user + answer).split()) == "".join(PASSAGE.text.split())
    assert completion.example(PASSAGE, "You are brief.", 1) == one
    cuts = {completion.cut(Passage("a.md", "", n, "One went. Two came. Three stayed. Four slept. Five woke up."), 1)[0] for n in range(40)}
    assert len(cuts) > 1, "not always the same share"


@given(st.text(st.sampled_from("ab .!?\n*“”"), min_size=2, max_size=120).filter(lambda text: len(text.split()) > 1), st.integers(0, 5))
def test_a_cut_loses_nothing_and_leaves_nothing_empty(text: str, seed: int) -> None:
    given_, rest = completion.cut(Passage("a", "", 0, text.strip()), seed)
    assert given_.strip()
    assert rest.strip()
    assert "".join((given_ + rest).split()) == "".join(text.split())


@pytest.mark.req("P3")
def test_questions_about_one_passage_stay_together_and_bad_rows_are_told() -> None:
    more = [Row("qa.jsonl", 3, {"question": "And who else?", "answer": "Nobody came down."}), Row("qa.jsonl", 4, {"question": "Why?"})]
    items, bad = qa.items(ROWS + more, PLAIN, "You are brief.")
    assert items[1].group == items[2].group != items[0].group
    assert [one.reason for one in bad] == ["has no answer; it has question"]
    assert "reasoning_content" not in items[0].examples[0]["messages"][-1]
    assert [turn["content"] for turn in items[1].examples[0]["messages"]] == ["You are Anna.", "Who came?", "Nobody came down."]
