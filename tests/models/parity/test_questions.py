"""What is asked: held-out examples of every form that a training set can have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from lorewright.errors import LorewrightError
from lorewright.models.parity.questions import GREETING, Asking, read_questions, write_questions

pytestmark = pytest.mark.req("F5")


def prepared(folder: Path, rows: list[dict[str, Any]], held: bool = True) -> Path:
    for name, lines in (("validation", rows if held else []), ("training", rows)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    return folder


def asked(folder: Path, tokenizer: Path, rows: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    write_questions(prepared(folder, rows), Asking(tokenizer, **{"settings": {}, "room": 1024} | more), folder / "asked.jsonl")
    return read_questions(folder / "asked.jsonl")


def chat(answer: str, *before: str) -> dict[str, Any]:
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who keeps the clock?"}]
    turns += [turn for text in before for turn in ({"role": "assistant", "content": text}, {"role": "user", "content": "And then?"})]
    return {"messages": [*turns, {"role": "assistant", "content": answer}]}


def test_the_last_answer_of_a_chat_is_what_follows(tiny_model: Path, tmp_path: Path) -> None:
    (one,) = asked(tmp_path, tiny_model, [chat("Wim Teague keeps it.", "Nobody knows.")], settings={"enable_thinking": False})
    assert [turn["role"] for turn in one["messages"]] == ["system", "user", "assistant", "user"]
    assert one["settings"] == {"enable_thinking": False} and one["text"] is None
    assert Tokenizer.from_file(str(tiny_model / "tokenizer.json")).decode(one["answer_ids"]) == "Wim Teague keeps it."


def test_short_ones_come_first_and_a_few_are_enough(tiny_model: Path, tmp_path: Path) -> None:
    rows = [chat("The bell rang twice. " * count) for count in range(40, 0, -1)]
    found = asked(tmp_path, tiny_model, rows)
    lengths = [len(question["answer_ids"]) for question in found]
    assert lengths == sorted(lengths) and 6 <= len(found) <= 24
    assert sum(length + 1 for length in lengths) >= 200 > sum(length + 1 for length in lengths[:-1]) - 60


def test_marked_pieces_are_asked_as_text_and_the_template_by_a_greeting(tiny_model: Path, tmp_path: Path) -> None:
    row = {
        "segments": [
            {"label": False, "text": "<|im_start|>user\nWho?<|im_end|>\n"},
            {"label": True, "text": "Wim."},
            {"label": True, "text": "<|im_end|>"},
        ]
    }
    first, last = asked(tmp_path, tiny_model, [row], settings={"enable_thinking": False})
    assert first["text"] == "<|im_start|>user\nWho?<|im_end|>\n" and "settings" not in first
    assert Tokenizer.from_file(str(tiny_model / "tokenizer.json")).decode(first["answer_ids"]) == "Wim.", "without its end"
    assert last["messages"] == GREETING and last["answer_ids"] == [] and last["settings"] == {"enable_thinking": False}


def test_plain_text_goes_on_after_its_first_third(tiny_model: Path, tmp_path: Path) -> None:
    text = "The tide clock of Late has four hands, and none of them is ever right."
    first, _ = asked(tmp_path, tiny_model, [{"text": text}])
    rest = Tokenizer.from_file(str(tiny_model / "tokenizer.json")).decode(first["answer_ids"])
    assert first["text"] + rest == text and 10 < len(first["text"]) < 30


def test_what_is_too_long_is_cut_or_left_out(tiny_model: Path, tmp_path: Path) -> None:
    (one,) = asked(tmp_path, tiny_model, [chat("The bell rang twice. " * 200)], room=128)
    assert 20 < len(one["answer_ids"]) < 128
    with pytest.raises(LorewrightError, match="no example is short enough to compare models with: 32 tokens"):
        asked(tmp_path, tiny_model, [chat("yes")], room=32)


def test_where_nothing_was_held_out_trained_examples_are_asked(tiny_model: Path, tmp_path: Path) -> None:
    said = write_questions(prepared(tmp_path, [chat("Wim.")], held=False), Asking(tiny_model, {}, 1024), tmp_path / "asked.jsonl")
    assert said.startswith("1 trained prompt, ")
