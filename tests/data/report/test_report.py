"""The report tells what is in a training set, and shows what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lorewright.data.report import report
from lorewright.data.report.counted import count, leaks, trained
from lorewright.errors import LorewrightError
from tests.data.style.test_picture import assert_self_contained

PROMPT = "You are a fiction writer. Stay in this voice."
STORIES = (
    "The lamp went out before the bell had rung twice that evening.\n\nNobody on the stairs said a word about it.",
    "A crate of pears came up the ramp, and Olin signed for it with his left hand.\n\n“Pears,” he said.",
    "We waited for the close with our boots off and our hats on our knees.\n\nIt was the third dry day.",
)
LEAK = "Somewhere below the floor a pump began to knock, and the whole house held its breath."


def example(text: str, document: str, number: int = 0) -> dict[str, Any]:
    asked = [("system", PROMPT), ("user", "Write a scene with Olin and Mara, about forty words of it."), ("assistant", text)]
    return {"messages": [{"role": role, "content": content} for role, content in asked], "document": document, "passage": number}


def made(folder: Path, training: list[dict[str, Any]], validation: list[dict[str, Any]], **files: list[dict[str, Any]]) -> Path:
    for name, lines in {"training": training, "validation": validation, **files}.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (folder / "style.json").write_text(json.dumps({"language": "en", "system_prompt": PROMPT}), encoding="utf-8")
    return folder


def pages(folder: Path, **facts: Any) -> tuple[str, str]:
    report(folder, facts)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert_self_contained(page)
    return page, (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.req("F3", "S2")
def test_contents_are_right(tmp_path: Path) -> None:
    training = [example(text, f"story_{number}.md") for number, text in enumerate(STORIES[:2])]
    removed = [
        {"document": "story_0.md", "paragraph": 3, "kind": "mark", "text": "[note: which bell?]", "characters": 19},
        {"document": "story_0.md", "paragraph": 9, "kind": "control", "text": "", "characters": 4, "times": 4},
    ]
    refused = [
        {"name": "torn.pdf", "source": "/a/torn.pdf", "refused": "is truncated"},
        {"name": "late.pdf", "source": "/a/late.pdf", "refused": "took too long"},
        {"name": "late.pdf", "source": "/a/late.pdf", "refused": ""},
    ]
    folder = made(tmp_path, [*training, training[0]], [example(STORIES[2], "held.md")], removals=removed, extracted=refused)
    page, card = pages(folder, name="pears", format="passages", tokens=360_000, tokens_per_second=100, epochs=3)
    for said in (
        "3 examples to train on, 1 held out",
        "story_1.md",
        "held out",
        "[note: which bell?]",
        "torn.pdf",
        "is truncated",
        "3.0 h",
    ):
        assert said in page, said
    assert "late.pdf" not in page
    assert '<dd class="warn">1</dd>' in page  # the repeated example
    assert "None: no paragraph of eight words" in page
    assert page.count(PROMPT) == 1 + 3  # once by itself, and in every sample
    assert STORIES[1].split("\n")[0] in page
    head = yaml.safe_load(card.split("---")[1])
    assert head["configs"][0]["data_files"][1] == {"split": "validation", "path": "validation.jsonl"}
    assert (head["language"], head["size_categories"], head["license"]) == (["en"], ["n<1K"], "other")
    assert "| train | 3 |" in card
    assert "control (4)" in card
    assert "1 examples repeat another" in card


LEDGER = {
    "opening": "<assistant>",
    "training": {"samples": 3, "kept": 1, "truncated": 1, "dropped": 1, "left_out": 0, "tokens": 91234, "trained_tokens": 90000, "masked_tokens": 1234,
                 "longest": 70000, "lengths": {"51234": 1, "40000": 1}, "lost": [[3, "sea.md", "dropped", 70000]], "faults": []},
    "validation": {"samples": 0, "kept": 0, "truncated": 0, "dropped": 0, "left_out": 0, "tokens": 0, "trained_tokens": 0, "masked_tokens": 0,
                   "longest": 0, "lengths": {}, "lost": [], "faults": []},
}  # fmt: skip


@pytest.mark.req("P4", "S2")
def test_with_a_ledger_it_shows_what_axolotl_sees(tmp_path: Path) -> None:
    folder = made(tmp_path, [example(text, "story.md") for text in STORIES], [])
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    (ledger / "ledger.json").write_text(json.dumps(LEDGER))
    spans = [[False, "<user>Write a <b>scene.\n<assistant>"], [True, "The lamp went out."]]
    sample = {"split": "training", "line": 1, "document": "story.md", "tokens": 12, "trained": 5, "fate": "truncated", "spans": spans}
    (ledger / "samples.jsonl").write_text(json.dumps(sample) + "\n")
    report(folder, {"estimated_seconds": 5400}, ledger=ledger)
    page = (ledger / "report.html").read_text(encoding="utf-8")
    assert_self_contained(page)
    for said in (
        "91,234",
        "dropped as too long",
        "70,000 tokens",
        "sea.md",
        "&lt;assistant&gt;",
        "90 min",
        "12 tokens, 5 trained, truncated",
    ):
        assert said in page, said
    assert "<mark>The lamp went out.</mark>" in page
    assert "Write a &lt;b&gt;scene." in page
    assert not (folder / "report.html").exists()


@pytest.mark.req("S2")
def test_a_planted_leak_is_shown(tmp_path: Path) -> None:
    training = [example(text, "a.md", number) for number, text in enumerate(STORIES[:2])]
    training.append(example(f"{STORIES[2]}\n\n{LEAK}", "a.md", 2))
    page, card = pages(made(tmp_path, training, [example(f"It was late.\n\n{LEAK.replace(' ', '  ', 1)}", "b.md")]))
    assert "1 paragraphs in 1 of the 1 held-out examples" in page
    assert LEAK in page.split("<h2>Length</h2>")[0]
    assert "**1 paragraphs stand in both splits**" in card


@pytest.mark.req("S2")
def test_a_leak_in_a_script_without_spaces_is_seen(tmp_path: Path) -> None:
    rain = "雨下了一整夜，钟楼上的灯也没有亮。"
    page, _ = pages(made(tmp_path, [example(rain, "a.md")], [example(f"他说。\n\n{rain}", "b.md")]))
    assert "1 paragraphs in 1 of the 1 held-out examples" in page


def test_prompts_and_short_paragraphs_are_no_leaks(tmp_path: Path) -> None:
    folder = made(tmp_path, [example(f"{STORIES[0]}\n\n“Yes,” she said.", "a")], [example(f"{STORIES[1]}\n\n“Yes,” she said.", "b")])
    held = count(folder / "validation.jsonl")
    assert leaks(count(folder / "training.jsonl", held.paragraphs).paragraphs, folder / "validation.jsonl").paragraphs == 0


def test_html_in_a_manuscript_is_text(tmp_path: Path) -> None:
    bad = "<script>alert('x')</script> & <img src=http://example/x> \"quoted\""
    long = f"{bad} and five words more than that"
    removed = [{"document": bad, "paragraph": 1, "kind": bad, "text": bad}]
    page, card = pages(made(tmp_path, [example(long, bad)], [example(long, bad)], removals=removed), name=bad, format=bad, base_model=bad)
    assert "&lt;script&gt;alert" in page
    assert yaml.safe_load(card.split("---")[1])["pretty_name"] == bad
    assert "<script" not in card.split("---", 2)[2]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"text": "All of it."}, "All of it."),
        ({"prompt": "Say.", "completion": "Said."}, "Said."),
        ({"segments": [{"label": False, "text": "Given "}, {"label": True, "text": "trained"}]}, "trained"),
        ({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": None}]}, ""),
    ],
)
def test_every_format_is_read(form: dict[str, Any], text: str, tmp_path: Path) -> None:
    assert trained(form) == text
    page, _ = pages(made(tmp_path, [form], []))
    assert "Nothing is held out" in page


def test_an_empty_set_and_a_broken_line(tmp_path: Path) -> None:
    page, _ = pages(made(tmp_path, [], []))
    assert "There are no examples." in page
    (tmp_path / "training.jsonl").write_text('{"text": "a"}\n{"text":\n')
    with pytest.raises(LorewrightError, match=r"training\.jsonl:2: is not JSON"):
        report(tmp_path, {})
