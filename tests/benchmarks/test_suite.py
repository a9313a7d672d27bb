"""A suite as a writer writes it: what is read, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorewright.benchmarks.suite import Question, read_suite
from lorewright.errors import LorewrightError, RecipeError
from lorewright.rag.chunk import Passage

ARM = Passage("Elena > Body > The arm\n\nIt is made of Bronze.", "characters/elena.md", "characters", "Elena", "Body > The arm")
GOOD = """
people:
  - {ask: "What is the arm made of?", source: characters/elena.md, heading: The arm}
  - ask: Who made it?
    holds: ["Oduya made", "made by Oduya"]
unmatched:
  - What is the capital of Portugal?
"""
BAD = """
people:
  - Who made it?
  - {ask: "Why?"}
  - {ask: "Why?", hold: bronze}
  - {ask: 7, holds: bronze}
  - {ask: "Why?", holds: []}
  - {holds: bronze}
  - [1]
places: everywhere
unmatched:
  - {ask: "Where?", holds: there}
people: []
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.req("F7")
def test_questions_are_read_with_their_lines(tmp_path: Path) -> None:
    assert read_suite(written(tmp_path, GOOD), "mine.yaml") == [
        Question("people", "What is the arm made of?", 3, (), "characters/elena.md", "The arm"),
        Question("people", "Who made it?", 4, ("Oduya made", "made by Oduya")),
        Question("unmatched", "What is the capital of Portugal?", 7),
    ]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        read_suite(written(tmp_path, BAD.removesuffix("people: []\n")), "mine.yaml")
    wanted = "what is to be found?"
    assert caught.value.problems == [
        f"mine.yaml:3: {wanted} Write {{ask: …, source: …}}, or put it under unmatched: if no lore answers it",
        f"mine.yaml:4: {wanted} Give source, heading or holds, or put it under unmatched: if no lore answers it",
        "mine.yaml:5: unknown key hold; did you mean holds?",
        f"mine.yaml:5: {wanted} Give source, heading or holds, or put it under unmatched: if no lore answers it",
        "mine.yaml:6: ask must be text; put quotes around what is none",
        "mine.yaml:7: holds must be text or a list of texts; put quotes around what is none",
        "mine.yaml:8: ask is missing: the question",
        "mine.yaml:9: expected a question: {ask: …} with any of holds, source, heading",
        "mine.yaml:10: places must be a list of questions, one a line after a dash",
        "mine.yaml:12: a question under unmatched: is plain text, since nothing is to be found for it",
    ]


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    for text, said in (
        ("", "mine.yaml: the file is empty; docs/lore.md shows how a suite is written"),
        ("- a", "mine.yaml:1: a suite is a mapping of keys, this is a list"),
        ("a: [\n", "mine.yaml:2: not readable as YAML"),
        (BAD, "mine.yaml:13: people: given twice; first on line 2"),
    ):
        with pytest.raises(LorewrightError) as caught:
            read_suite(written(tmp_path, text), "mine.yaml")
        assert said in str(caught.value)
    with pytest.raises(LorewrightError, match="no such file; docs/lore.md shows"):
        read_suite(tmp_path / "none.yaml", "none.yaml")


@pytest.mark.parametrize(
    ("wanted", "met"),
    [
        ({"holds": ("BRONZE", "steel")}, True),
        ({"holds": ("steel",)}, False),
        ({"source": "characters/elena.md"}, True),
        ({"source": "characters/"}, True),
        ({"source": "*/el*"}, True),
        ({"source": "characters"}, False),
        ({"heading": "the ARM"}, True),
        ({"heading": "Body > The arm"}, True),
        ({"heading": "Elena"}, True),
        ({"heading": "arm"}, False),
        ({"source": "characters/", "heading": "The arm", "holds": ("bronze",)}, True),
        ({"source": "places/", "holds": ("bronze",)}, False),
    ],
)
def test_a_passage_has_all_that_is_asked_for(wanted: dict[str, object], met: bool) -> None:
    assert Question("people", "?", 1, **wanted).is_met_by(ARM) is met  # type: ignore[arg-type]
    assert not Question("unmatched", "?", 1, **wanted).is_met_by(ARM)  # type: ignore[arg-type]


def test_the_suite_that_comes_along_is_a_suite(repo: Path) -> None:
    questions = read_suite(repo / "benchmarks" / "suites" / "retrieval.yaml", "retrieval.yaml")
    assert {question.kind for question in questions} >= {"named", "alias", "paraphrased", "unmatched"}
    assert all(question.unmatched or question.holds or question.source for question in questions)


def test_the_suite_in_the_documentation_is_one(repo: Path, tmp_path: Path) -> None:
    text = (repo / "docs" / "lore.md").read_text(encoding="utf-8")
    block = text.partition("## Does it answer?")[2].partition("```yaml\n")[2].partition("```")[0]
    assert [question.kind for question in read_suite(written(tmp_path, block), "mine.yaml")] == ["people", "people", "places", "unmatched"]


def test_a_text_is_held_whatever_line_breaks_stand_in_it() -> None:
    passage = Passage("Elena > The arm\n\nIt was made by Hanne\nOduya, who made\tthree.", "a.md", "characters", "Elena", "The arm")
    assert Question("people", "Who?", 1, holds=("hanne oduya, who  made",)).is_met_by(passage)
    assert not Question("people", "Who?", 1, holds=("Hanne made",)).is_met_by(passage)
