"""Cleaning: what is no text of the book goes and is listed, prose stays, and each kind can be left in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lorewright.data.blocks import blocks
from lorewright.data.cleaning import Cleaning
from lorewright.data.marks import without_marks
from lorewright.data.matter_shapes import is_entry
from lorewright.data.near_duplicates import resemblance
from lorewright.data.removals import Removals
from lorewright.recipe import Clean

ALL = Clean(front_matter=True, headings=True, marks=True, duplicates=True, near_duplicates=0.8)
NONE = Clean(front_matter=False, headings=False, marks=False, duplicates=False, near_duplicates=0.0)
LINES = [
    "The harbour lights went out one after the other, and Marta counted them as she had counted them on every night of that winter.",
    "“You were told to stay below,” said the pilot, who had not turned round, and whose hands were on the wheel as if they had grown there.",
    "Nobody spoke of the boat again until the thaw, when the ice gave back a boot, a tin cup and the better half of the name board.",
    "In the morning the whole quay smelled of tar and oranges, which meant that somebody's cargo had come loose and nobody would own to it.",
]
BOOK = f"""The Tin Cup

A. N. Author

Copyright © 2019 by A. N. Author

All rights reserved. No part of this book may be reproduced in any form.

Printed on the coast

ISBN 978-3-16-148410-0

Contents

Chapter 1: Lights

Chapter 2: Ice

Chapter 1: Lights

{LINES[0]}

{LINES[1]}

Chapter 2: Ice

{LINES[2]}

{LINES[3]}

Notes

1. On tar, see the harbour rules of that year, p. 12.

2. The cup is in the museum.

3. Oranges were dear.

Bibliography

Holm, Ada. Ropes and Rules. Northport: Quay Press, 1987.

Brandt, P. “Ice on the Sound.” Coastal Papers 4 (1991): 33–60.

Lund, Eva. A Winter's Log. Northport, 2003.

Index

boats, 12, 44–46
cups, 7
ice, 3, 9, 88
tar, 12
"""  # fmt: skip


def cleaned(tmp_path: Path, settings: Clean, *texts: str) -> tuple[list[str], list[dict[str, str]], Removals]:
    with open(tmp_path / "removals.jsonl", "w+", encoding="utf-8") as file:
        removals = Removals(file)
        with Cleaning(settings, removals, tmp_path) as cleaning:
            kept = [text for n, source in enumerate(texts) for part in cleaning.document(f"{n}.txt", source) for text in part]
        file.seek(0)
        return kept, [json.loads(line) for line in file], removals


@pytest.mark.req("P1")
def test_front_and_back_matter_go_and_are_listed(tmp_path: Path) -> None:
    kept, listed, removals = cleaned(tmp_path, ALL, BOOK)
    assert kept == ["Chapter 1: Lights", LINES[0], LINES[1], "Chapter 2: Ice", LINES[2], LINES[3]]
    kinds = {"title page": 2, "copyright": 4, "contents": 3, "notes": 4, "bibliography": 4, "index": 2, "heading": 2}
    assert dict(removals.counts) == kinds
    assert len(listed) == sum(kinds.values())
    index = [entry for entry in listed if entry["kind"] == "index"][-1]
    assert (index["document"], index["text"].split("\n")[1]) == ("0.txt", "cups, 7")
    assert "4 notes" in removals.said()


@pytest.mark.req("P1")
def test_every_kind_can_be_left_in(tmp_path: Path) -> None:
    kept, listed, _ = cleaned(tmp_path, NONE, BOOK + "\n\nTODO: more.", BOOK)
    assert "\n\n".join(kept).split() == f"{BOOK} TODO: more. {BOOK}".split()
    assert listed == []


@pytest.mark.parametrize("heading", ["Contents", "Notes", "Index", "# Notes", "Bibliography", "Copyright", "List of Figures"])
def test_prose_under_such_a_heading_stays(tmp_path: Path, heading: str) -> None:
    kept, _, removals = cleaned(tmp_path, replace(ALL, headings=False), "\n\n".join([LINES[0], heading, *LINES[1:], "She left in 1987."]))
    assert [text for text in kept if text != heading] == [*LINES, "She left in 1987."]
    assert not removals.counts


@pytest.mark.parametrize(
    "text",
    [
        f"{LINES[0]} {LINES[1]}\n\nDear Ada\n\nit has snowed\n\n{LINES[2]}\n\nCopyright © 2020 by A. N. Author",  # a story's own last line
        f"Copyright in 1850 was a gentleman's promise, and broken like one.\n\n{LINES[0]}",
        f"{LINES[0]} {LINES[1]}\n\n# Contents\n\nthree spoons\n\na bell without a tongue\n\nmy mother's gloves\n\n{LINES[2]}",  # a poem
    ],
)
def test_no_prose_or_verse_is_taken_for_front_matter(text: str, tmp_path: Path) -> None:
    kept, _, _ = cleaned(tmp_path, replace(ALL, headings=False), text)
    assert kept == [part for part in text.split("\n\n") if not part.startswith("Copyright ©")]


@pytest.mark.parametrize(
    "line", ["Holm, Ada, 3, 12–14; letters of, 7; see also tar", "ice: and the sea, 4; in winter, 9", "cups. See tin", "T"]
)
def test_lines_of_an_index(line: str) -> None:
    assert is_entry(line, "index")
    assert not is_entry(f"She had {line}? He did not know.", "index")


def test_a_line_of_numbers_without_end_takes_no_time() -> None:
    assert not is_entry("a, " + ", ".join(map(str, range(50_000))) + " !", "index")


def test_contents_leave_the_first_chapters_heading(tmp_path: Path) -> None:
    text = f"# Contents\n\nThe Bell 5\n\nIce 17\n\nNotes\n\nIndex\n\n# The Bell\n\n{LINES[0]}\n\n# Ice\n\n{LINES[1]}"
    assert cleaned(tmp_path, replace(ALL, headings=False), text)[0] == ["# The Bell", LINES[0], "# Ice", LINES[1]]


def test_notes_in_parts_and_footnotes_go_with_their_marks(tmp_path: Path) -> None:
    notes = "\n\n".join(
        f"# {name}\n\n" + "\n\n".join(f"{n}. See the harbour rules, p. {n}." for n in range(1, 5)) for name in ("The Bell", "Ice")
    )
    text = f"{LINES[0]}[^a]\n\n{LINES[1]}\n\n[^a]: On lights.\n\n# Notes\n\n{notes}\n\n# About her\n\n{LINES[2]}"
    kept, _, removals = cleaned(tmp_path, replace(ALL, headings=False), text)
    assert kept == [LINES[0], LINES[1], "# About her", LINES[2]]
    assert removals.counts == {"note mark": 1, "notes": 12}


def test_a_story_about_copyright_stays(tmp_path: Path) -> None:
    story = "“All rights reserved,” said the lawyer, and shut the box on ISBN 978-3-16-148410-0 and on my copyright of 1987."
    assert cleaned(tmp_path, ALL, f"{story}\n\n{LINES[0]}")[0] == [story, LINES[0]]


def test_marks_go_and_what_was_added_stays() -> None:
    told: list[str] = []
    text = (
        "She ran. [note: where to?] She {--walked--}{++ran++} on.<!-- cut\n\nthis --> TODO: the weather. It rained.\n\nFIXME\n\n"
        "He {~~said~>cried~~} so.{>>too loud?<<} Chapter XXX and [sic] stay, and TODO ESTÁ BIEN too. [TODO rewrite]"
    )
    assert without_marks(text, lambda before, mark: told.append(mark)).split() == (
        [
            "She",
            "ran.",
            "She",
            "ran",
            "on.",
            "It",
            "rained.",
            "He",
            "cried",
            "so.",
            "Chapter",
            "XXX",
            "and",
            "[sic]",
            "stay,",
            "and",
            "TODO",
            "ESTÁ",
            "BIEN",
            "too.",
        ]
    )
    assert len(told) == 9


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("She ran.\n\nTODO: decide if he is dead (ch. 2 says so, ch. 6 not!!) Then fix it.\n\nIt rained.", "She ran.\n\n\n\nIt rained."),
        ("TODO: Mr. Marrin needs a name. Then chapter 2.\n\nIt rained.", "\n\nIt rained."),
        ("TODO fix this scene, it drags\n\nXXX need a better line\n\nTK: the market.\n\nIt rained.", "\n\n\n\n\n\nIt rained."),
        ("She ran. [??? what would he say here] It rained.", "She ran. It rained."),
        ("TODO comenzó aquella noche.\n\nXXX\n\nTODO EL MUNDO.", "TODO comenzó aquella noche.\n\nXXX\n\nTODO EL MUNDO."),
    ],
)
def test_a_desk_note_goes_whole_and_spanish_stays(text: str, left: str) -> None:
    assert without_marks(text, lambda before, mark: None) == left


def test_duplicates_go_within_and_across_documents(tmp_path: Path) -> None:
    short = "“No,” she said."
    one = "\n\n".join([LINES[0], short, LINES[1]])
    kept, listed, removals = cleaned(tmp_path, ALL, f"{one}\n\n{short}\n\n{LINES[2]}\n\n{LINES[2]}", one)
    assert kept == [LINES[0], short, LINES[1], short, LINES[2]], "a short line may be said twice; a copied scene goes whole"
    assert removals.counts == {"duplicate": 4}
    assert [(entry["document"], entry["like"]) for entry in listed][:2] == [
        ("0.txt", "0.txt: paragraph 5"),
        ("1.txt", "0.txt: paragraph 1"),
    ]


def test_near_duplicates_go_and_their_likes_are_named(tmp_path: Path) -> None:
    long = " ".join(LINES[:3])
    draft = long.replace("winter", "autumn")
    assert 0.8 <= resemblance(long, draft) < 1
    other = long.replace("and", "or").replace("the", "a")
    kept, listed, _ = cleaned(tmp_path, ALL, f"{long}\n\n{draft}\n\n{other}")
    assert kept == [long, other]
    assert [(entry["kind"], entry["like"]) for entry in listed] == [("near duplicate", "0.txt: paragraph 1")]
    assert cleaned(tmp_path, replace(ALL, near_duplicates=0.0), f"{long}\n\n{draft}")[0] == [long, draft]


@pytest.mark.parametrize("text", ["a b\n\n" * 50, "line\n" * 60, "word " * 60, "雨" * 300, "x\n \ny " * 40, "a <!-- b\n\nc --> d\n\n" * 20])
def test_blocks_are_the_text_and_cut_where_it_allows(text: str, tmp_path: Path) -> None:
    for size in (7, 40, 1000):
        assert "".join(blocks(text, size)) == text
    (tmp_path / "t.txt").write_text(text.replace("\n", "\r\n"), encoding="utf-16", newline="")
    assert "".join(blocks(tmp_path / "t.txt", 50)) == text


def test_control_characters_are_counted(tmp_path: Path) -> None:
    kept, listed, _ = cleaned(tmp_path, ALL, "A\x07 bell\x00 rang soft\xadly.\u2028Then\x0cnot.")
    assert kept == ["A bell rang softly.\nThen\nnot."]
    assert listed[0]["kind"] == "control"
    assert listed[0]["times"] == 3
