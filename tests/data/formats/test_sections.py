"""sections: Markdown chapters and JSON files to plain text or instructions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lorewright.data.formats import TEXT, sections
from lorewright.data.formats.rows import hold_out_items
from lorewright.data.formats.template import Template
from lorewright.recipe import Chunk

CHUNK = Chunk("words", 5, 40, 0)


def words(text: str) -> int:
    return len(text.split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    report = {
        "INTRODUCTION": {"original": "old", "improved": "We measured the tide. " * 20},
        "METHODOLOGY": {"improved": "We used a rope.", "notes": {"improved": 3}},
        "RESULTS": {"improved": "  "},
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    (tmp_path / "listed.json").write_text(json.dumps({"sections": [{"section": "CLOSE", "improved": "It ended."}]}))
    (tmp_path / "chapter.md").write_text(
        "---\ntitle: x\n---\n# The Floor\n\nIt opened.\n\n```\n# no heading\n```\n\n## Deeper\n\nIt closed.\n"
    )
    (tmp_path / "broken.json").write_text('{"a": ')
    (tmp_path / "other.json").write_text('{"a": 1}')
    (tmp_path / "x.pdf").write_text("no")
    return tmp_path


@pytest.mark.req("R1", "R3")
def test_every_section_is_found_and_every_bad_file_told(folder: Path) -> None:
    found, bad = sections.read_sections([str(folder)], "improved")
    assert [(one.document, one.name) for one in found] == [
        ("chapter.md", "The Floor"), ("chapter.md", "Deeper"), ("listed.json", "CLOSE"), ("report.json", "INTRODUCTION"), ("report.json", "METHODOLOGY"),
    ]  # fmt: skip
    assert "# no heading" in found[0].text
    assert {one.place: one.reason for one in bad if one.place != "broken.json"} == {
        "other.json": "holds no section with a text 'improved'", "x.pdf": ".pdf files hold no sections; .md and .json do",
    }  # fmt: skip
    assert any(one.place == "broken.json" for one in bad)


@pytest.mark.req("R1")
def test_text_examples_stand_under_their_heading_and_fit(folder: Path) -> None:
    found, _ = sections.read_sections([str(folder)], "improved")
    made = sections.items(found, CHUNK, words, as_text=True, system="")
    texts = [example["text"] for item in made for example in item.examples]
    assert "### METHODOLOGY\n\nWe used a rope." in texts
    introduction = [example["text"] for item in made for example in item.examples if example["section"] == "INTRODUCTION"]
    assert introduction[0].startswith("### INTRODUCTION\n\nWe measured")
    assert len(introduction) > 1
    assert not introduction[1].startswith("#")
    assert max(map(words, texts)) <= CHUNK.max
    assert " ".join(" ".join(introduction).split()[2:]) == ("We measured the tide. " * 20).strip()


@pytest.mark.req("R1")
def test_instructions_ask_for_the_section(folder: Path) -> None:
    found, _ = sections.read_sections([str(folder)], "improved")
    made = sections.items(found, CHUNK, words, as_text=False, system="You report.")
    asked = [example["messages"][1]["content"] for item in made for example in item.examples]
    assert asked[:2] == ["Write “The Floor”.", "Write the section “Deeper” of “The Floor”."]
    assert "Go on with the section “INTRODUCTION” of “report”." in asked


def test_documents_are_held_out_whole_and_a_single_ones_sections_alone(folder: Path) -> None:
    found, _ = sections.read_sections([str(folder)], "improved")
    training, validation = hold_out_items(sections.items(found, CHUNK, words, as_text=True, system=""), 0.3, 1)
    assert {item.document for item in training} & {item.document for item in validation} == set()
    one = [section for section in found if section.document == "report.json"]
    assert len(hold_out_items(sections.items(one, CHUNK, words, as_text=True, system=""), 0.3, 1)[1]) == 1


@pytest.mark.req("R1")
@pytest.mark.real
def test_axolotl_trains_the_whole_text(folder: Path, template: Template, axolotl: Callable[..., list[dict[str, Any]]]) -> None:
    found, _ = sections.read_sections([str(folder)], "improved")
    examples = [example for item in sections.items(found, CHUNK, words, as_text=True, system="") for example in item.examples]
    made = axolotl([{"text": example["text"]} for example in examples], {"ds_type": "json", **TEXT})
    assert [template.tokenizer.decode(one["labels"]) for one in made] == [f"{example['text']}<|im_end|>" for example in examples]
