"""The style analysis tells writings apart that a reader would tell apart."""

from __future__ import annotations

import pytest

from lorewright.data.style import analyse, system_prompt

FIRST_PAST = "I was late. I took the stairs and I knew my room was cold.\n\nMy hands had stopped. I thought of her."
THIRD_PRESENT = (
    "She walks along the quay, and the gulls that have followed the boats since morning wheel over her head; she does not look up, "
    "because she knows what they want; he waits beside the crane, as he always does when the wind comes round to the north.\n\n"
    "“You are late,” says Anna. “The tide is in and the others are gone, every one of them.”"
)


@pytest.mark.req("F3")
def test_person_tense_and_rhythm() -> None:
    first, third = analyse([FIRST_PAST]), analyse([THIRD_PRESENT])
    assert (first.person, first.tense) == ("first", "past")
    assert (third.person, third.tense) == ("third", "present")
    assert first.sentence_length < third.sentence_length
    assert first.dialogue == 0 < third.dialogue
    assert third.semicolons > 3


@pytest.mark.req("F3")
def test_prompt_says_what_was_measured() -> None:
    prompt = system_prompt(analyse([THIRD_PRESENT]))
    assert "third person, present tense" in prompt
    assert "semicolons" in prompt
    assert "first person, past tense" in system_prompt(analyse([FIRST_PAST]))


def test_no_text_is_no_crash() -> None:
    assert analyse([""]).words == 0
