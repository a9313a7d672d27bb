"""Nothing of the evaluation occurs in what the training data are made of."""

from __future__ import annotations

import random
import re
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
GENERATOR = REPO / "models" / "starter" / "making"


def words(text: str) -> tuple[str, ...]:
    """The wording without its slots, in small letters."""
    return tuple(re.findall(r"[a-z’]+", re.sub(r"\{[a-z]+\}", " ", text.lower())))


def generator_text() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(GENERATOR.rglob("*")) if path.suffix in (".py", ".txt"))


def templates() -> set[tuple[str, ...]]:
    """Every string of the generator, as wording."""
    return {words(found) for found in re.findall(r'"((?:[^"\\]|\\.)*)"', generator_text())}


def test_no_template_is_shared() -> None:
    import starter_eval_prompts as evaluation

    every = [
        evaluation.FRAMES,
        evaluation.PLAIN,
        evaluation.SCENES,
        [kind.lore for kind in evaluation.KINDS],
        [kind.question for kind in evaluation.KINDS],
    ]
    trained = templates()
    assert len(trained) > 500
    for one in (text for group in every for text in group):
        assert words(one) not in trained, one


def test_no_long_run_of_words_is_shared() -> None:
    import starter_eval_prompts as evaluation

    trained = {run for wording in templates() for run in zip(*(wording[at:] for at in range(5)), strict=False)}
    for kind in evaluation.KINDS:
        for text in (kind.lore, kind.question):
            wording = words(text)
            assert not set(zip(*(wording[at:] for at in range(5)), strict=False)) & trained, text


def test_no_kind_of_fact_is_shared() -> None:
    import starter_eval_prompts as evaluation
    from making.chats.attributes import ATTRIBUTES
    from making.chats.relations import RELATIONS

    trained = {name for group in ATTRIBUTES.values() for name, _ in group}
    asked = " ".join(question for relation in RELATIONS for question in relation.asked)
    for kind in evaluation.KINDS:
        assert kind.name not in trained
        assert kind.name not in asked
        assert not any(kind.name in name.split() for name in trained)


def test_no_name_is_made_by_the_generator() -> None:
    import starter_eval_prompts as evaluation
    from making import names

    draw = random.Random(5)
    made = {maker(draw) for maker in (names.word_name, names.place_name, names.ship_name) for _ in range(20_000)}
    made |= {names.person_name(draw, []) for _ in range(20_000)}
    assert not set(evaluation.PERSONS + evaluation.PLACES + evaluation.THINGS) & made


def test_prompts_are_seeded_and_hold_their_values() -> None:
    import starter_eval_prompts as evaluation

    asked = evaluation.prompts(200, 7)
    assert asked == evaluation.prompts(200, 7)
    for prompt in asked:
        assert prompt.asked in prompt.values
        assert all(value in prompt.with_lore and value not in prompt.scene and value not in prompt.without_lore for value in prompt.values)


def test_the_books_words_of_the_evaluation_are_kept_aside() -> None:
    """The generator puts sentences and names together from words of the books; the words of the evaluation's names and kinds are not among them."""
    import starter_eval_prompts as evaluation
    from making.chats.vocabulary import Vocabulary
    from making.corpus import Book
    from making.words import WORDS

    texts = (*evaluation.PERSONS, *evaluation.PLACES, *evaluation.THINGS, *(kind.name for kind in evaluation.KINDS))
    kept = {word for text in texts for word in re.findall(r"[a-z]{3,}", text.lower())} - {"the", "and", "for", "of", "with"}
    assert kept <= set(WORDS["kept aside"])
    text = " ".join(f"He saw the old {word}, and the {word}; two {word}s. It was in the {word}." for word in sorted(kept))
    words = Vocabulary([Book("one", text)])
    assert not kept & {
        word for found in (words.adjectives, words.nouns, words.plurals, words.where) for each in found for word in each.split()
    }
