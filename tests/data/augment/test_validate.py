"""What counts as an answer."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as given
import pytest

from lorewright.data.augment.jobs import questions_in
from lorewright.data.augment.validate import RejectedError, plain, refuses

TWO = ["Why does the tide clock run late?", "Who answers for the late bell?"]
BARE = '["Why does the tide clock run late?", "Who answers for the late bell?"]'


@pytest.mark.parametrize(
    "text",
    [
        BARE, f'{{"questions": {BARE}}}', f"```json\n{BARE}\n```", f"```\n{BARE}\n```", f"Sure [as asked]:\n{BARE}\nGood luck!",
        f'Notes {{not json}} then {{"questions": {BARE}}}', f"<think>Maybe [1, 2]?</think>\n{BARE}", f"[1, 2] {BARE}",
    ],
)  # fmt: skip
def test_questions_are_found_in_fenced_bare_and_wrapped_json(text: str) -> None:
    assert questions_in(plain(text, "stop"), 2) == TWO


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no list at all", "no JSON in it"), ("[" * 100_000, "no JSON in it"), ('{"questions": "one"}', "does not keep to the schema"),
        ('["Only this one is asked?"]', "1 of 2 usable questions"), ('["Same question, twice?", "same question, twice?"]', "1 of 2"),
        ('["What does the passage say?", "Who answers for the bell?"]', "some speak of the passage"), ('["", "?"]', "0 of 2"),
    ],
)  # fmt: skip
def test_other_json_is_rejected_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(RejectedError, match=reason):
        questions_in(text, 2)


@pytest.mark.parametrize(
    ("text", "finish", "reason"),
    [
        ("", "stop", "empty"), ("<think>hm</think> ", "stop", "empty"), ("<think>still at it", "stop", "thinking did not end"),
        ("Half a sen", "length", "cut off at max_tokens"), ("Ding.", "content_filter", "refused"), ("Ding.", "stop", "too short: 5 of at least 9"),
    ],
)  # fmt: skip
def test_plain_answers_that_are_no_use(text: str, finish: str, reason: str) -> None:
    with pytest.raises(RejectedError, match=reason):
        plain(text, finish, least=9 if "Ding" in text else 1)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.", "I cannot create that content.", "Sorry, I am unable to continue this story.",
        "As an AI language model, I cannot provide readings.", "抱歉，我无法提供这样的内容。", "I’m unable to write that.",
    ],
)  # fmt: skip
def test_refusals(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, said Elena, but the tide will not wait for a clerk.", "I cannot see the sea from here, but I hear it.",
        "“I can't help with that,” he said, and went back to his ledger.", "I can't help it: I count the bells. " + "They ring on. " * 60,
        "Sorry is a word for people with time.", "抱歉两个字，他说了一辈子。", "The captain was unable to answer.",
    ],
)  # fmt: skip
def test_prose_that_only_looks_like_a_refusal_is_kept(text: str) -> None:
    assert not refuses(text)


@hypothesis.given(given.text(alphabet=given.sampled_from('[]{}"\\,:`\n json12é'), max_size=60))
def test_any_text_is_questions_or_rejected(text: str) -> None:
    try:
        assert len(questions_in(text, 1)) == 1
    except RejectedError as problem:
        assert str(problem)
