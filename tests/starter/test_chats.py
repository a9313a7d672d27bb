"""What every made chat keeps to."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lorewright.data.style import analyse, system_prompt
from lorewright.rag.inject import INTRODUCTION


@pytest.fixture(scope="module")
def library(books: Path) -> Any:
    from making.chats.passages import Library
    from making.corpus import read_books, training

    return Library(training(read_books(books)))


@pytest.fixture(scope="module")
def chats(library: Any) -> list[Any]:
    from making.chats.draw import chat

    return [chat(library, 3, number) for number in range(600)]


def answers(chat: Any) -> str:
    return "\n".join(text for role, text in chat.turns if role == "assistant").lower()


def test_every_kind_occurs(chats: list[Any]) -> None:
    from making.chats.draw import LESSONS

    assert set(Counter(chat.kind for chat in chats)) == set(LESSONS)


def test_values_stand_in_the_lore_and_in_the_answer(chats: list[Any]) -> None:
    with_values = [chat for chat in chats if chat.values]
    assert len(with_values) > 200
    for chat in with_values:
        for value in chat.values:
            assert value.lower() in chat.lore.lower()
            assert value.lower() in answers(chat)


def test_the_lore_is_in_the_prompt_and_scenes_are_asked_without_the_values(chats: list[Any]) -> None:
    for chat in chats:
        if chat.lore:
            prompt = "\n".join(text for role, text in chat.turns if role != "assistant")
            assert all(value.lower() in prompt.lower() for value in chat.values)
        if chat.kind == "woven":
            user = next(text for role, text in chat.turns if role == "user")
            assert sum(value.lower() in user.lower() for value in chat.values) < len(chat.values)


def test_turns_alternate_and_end_with_an_answer(chats: list[Any]) -> None:
    for chat in chats:
        roles = [role for role, _ in chat.turns if role != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert all(text.strip() and "{" not in text for _, text in chat.turns)
        assert not any("<|im_" in text for _, text in chat.turns)


def test_the_same_number_is_the_same_chat(library: Any, chats: list[Any]) -> None:
    from making.chats.draw import chat

    assert [chat(library, 3, number) for number in (0, 17, 599)] == [chats[0], chats[17], chats[599]]
    assert chat(library, 4, 17) != chats[17]


def test_without_lore_the_unknown_stays_unknown(chats: list[Any]) -> None:
    for chat in chats:
        if chat.kind == "unknown":
            assert not chat.lore
            assert any(word in answers(chat) for word in ("nothing", "not known", "cannot say"))


def test_lorewrights_own_prompts_are_among_them() -> None:
    from making.chats.systems import PROXY, voice

    assert PROXY == INTRODUCTION
    brisk = "“Go,” she said. He went to the door. He was cold.\n\n“Where?” he asked her. “Down,” she said. “Go down.”\n\n"
    draw = random.Random(1)
    assert system_prompt(analyse([brisk])) in {voice(draw) for _ in range(4000)}


def test_names_are_many() -> None:
    from making.names import word_name

    draw = random.Random(1)
    assert len({word_name(draw) for _ in range(5000)}) > 4000


def test_names_are_exchanged_everywhere_and_only_as_words() -> None:
    from making.names import exchange, found_in

    text = "When Olin came, Olinson left, and Olin sat down. " * 6
    assert "Olin" in found_in(text)
    assert exchange("Olin met Olinson; Olin’s hat.", {"Olin": "Vask"}) == "Vask met Olinson; Vask’s hat."


def test_answers_begin_with_the_value_and_go_on_with_a_sentence_of_the_lore(chats: list[Any]) -> None:
    asked = [chat for chat in chats if chat.kind == "question"]
    for chat in asked:
        replies = [text for role, text in chat.turns if role == "assistant"]
        assert all(reply.lower().startswith(value.lower()) for reply, value in zip(replies, chat.values, strict=True))
    for kind, least in (("question", 0.6), ("quote", 0.9)):
        replies = [(text, chat.lore) for chat in chats if chat.kind == kind for role, text in chat.turns if role == "assistant"]
        said = [text in lore or text.partition(". ")[2] in lore for text, lore in replies]
        assert sum(said) > least * len(said)


def test_other_notes_say_the_same_of_somebody_else(library: Any) -> None:
    """Or the name alone, or what is asked for alone, would find the answer."""
    from making.chats.facts import entity, facts

    draw = random.Random(2)
    about, other = (entity(draw, "person", library.pool, library.words) for _ in range(2))
    made = [fact for fact in facts(about, 60, draw, library) if fact.again]
    assert len(made) > 30
    alike = 0
    for fact in made:
        twin = fact.again(other)
        assert twin.about == other.name
        assert about.name not in twin.lore
        shared = set(fact.lore.replace(about.name, "").split()) & set(twin.lore.replace(other.name, "").split())
        alike += len(shared) >= 2
    assert alike > 0.8 * len(made)


def test_sentences_of_the_books_become_facts_and_questions(library: Any) -> None:
    from making.chats.fact import Entity
    from making.chats.natural import natural_fact

    draw = random.Random(3)
    assert len(library.natural["person"]) > 20
    for given in library.natural["person"]:
        fact = natural_fact(Entity("Oda Fenn", "person"), given, "a green parasol", library.words, draw)
        assert "Oda Fenn" in fact.lore
        assert "{" not in fact.lore
        for question in fact.questions:
            assert question.value in fact.lore
            assert question.value not in question.asked
            assert question.asked.endswith("?")


def test_open_facts_are_of_any_kind(library: Any) -> None:
    from making.chats.openfacts import open_fact, phrase

    draw = random.Random(4)
    facts = [open_fact("the Oaken Letter", phrase(library.words, draw), library.words, draw) for _ in range(2000)]
    assert len({fact.lore for fact in facts}) > 1900
    assert all(question.value.lower() in fact.lore.lower() for fact in facts for question in fact.questions)
    assert sum(bool(fact.questions) for fact in facts) > 1900
