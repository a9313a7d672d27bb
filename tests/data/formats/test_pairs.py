"""Pairs: long completions in pieces, and what Axolotl masks and trains of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from lorewright.data.formats import SEGMENTS, pairs
from lorewright.data.formats.chunk import pieces
from lorewright.data.formats.rows import Row, hold_out_items, read_rows
from lorewright.data.formats.template import Template
from lorewright.errors import LorewrightError
from lorewright.recipe import Pairs

SETTINGS = Pairs("prompt", "completion", max_tokens=200, context_keep=40)
MIXED = "The tide clock struck. “Late,” said Bole, and nobody moved.\n\nThe crane — the old one — went on turning; 潮水退了，钟还在走。没有人回答！ 🕰️ Nine minutes.\n"


def rows(*pairs_of: tuple[str, str]) -> list[Row]:
    return [Row("rows.jsonl", number, {"prompt": prompt, "completion": text}) for number, (prompt, text) in enumerate(pairs_of, 1)]


def prose(repo: Path, characters: int) -> str:
    return (repo / "fine-tuning/data/raw/01_the_tide_clock.md").read_text(encoding="utf-8")[:characters].strip()


@pytest.mark.req("Z5", "Z3")
@pytest.mark.real
def test_axolotl_masks_prompt_and_context_and_trains_each_token_once(
    repo: Path, template: Template, axolotl: Callable[..., list[dict[str, Any]]]
) -> None:
    texts = [prose(repo, 6000), "One short answer.", MIXED * 12]
    made, bad = pairs.items(rows(*((f"Question {n}?", text) for n, text in enumerate(texts))), SETTINGS, "You are brief.", template)
    assert bad == []
    examples = [example for item in made for example in item.examples]
    tokenized = axolotl(examples, {"ds_type": "json", **SEGMENTS}, length=SETTINGS.max_tokens)
    assert len(tokenized) == len(examples) > 8, "nothing is dropped for its length"
    for item, text in zip(made, (text.strip() for text in texts), strict=True):
        own, tokenized = tokenized[: len(item.examples)], tokenized[len(item.examples) :]
        trained = [[token for token in one["labels"] if token != -100] for one in own]
        end = template.tokenizer.eos_token_id
        assert [token for piece in trained for token in piece] == [*template.ids(text), end]
        assert all(end not in piece for piece in trained[:-1]), "an unfinished piece does not teach to stop"
        for number, one in enumerate(own):
            assert len(one["input_ids"]) <= SETTINGS.max_tokens
            masked = one["labels"].count(-100)
            assert one["labels"] == [-100] * masked + one["input_ids"][masked:], "all that is masked stands before all that is trained"
            shown = template.tokenizer.decode(one["input_ids"][:masked])
            head = template.around("You are brief.", f"Question {made.index(item)}?").before
            assert shown.startswith(head)
            kept = shown.removeprefix(head)
            before = "".join(template.tokenizer.decode(piece) for piece in trained[:number])
            assert before.endswith(kept)
            assert bool(kept) == (number > 0)
            assert len(template.ids(kept)) <= SETTINGS.context_keep


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200),
    st.integers(1, 400),
    st.integers(60, 120),
    st.integers(0, 20),
)
def test_no_character_is_lost_or_trained_twice(template: Template, part: str, size: int, room: int, keep: int) -> None:
    text = (part * size)[:1500]
    found = list(pieces(text, room, 1, keep, template))
    assert "".join(piece.trained for piece in found) == text
    assert [piece.last for piece in found] == [False] * (len(found) - 1) + [True]
    done = ""
    for piece in found:
        size = len(template.ids(piece.context)) + len(template.ids(piece.trained)) + (1 if piece.last else 0)
        assert size <= room
        assert done.endswith(piece.context)
        done += piece.trained


def test_a_seam_that_would_change_tokens_is_not_taken() -> None:
    """Where a tokenizer joins two line ends only at the end of a text, a piece that ended there would teach a token the text never has."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    inner.train_from_iterator(["One. Two.\n\n"] * 50, trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False))
    joined = Template(PreTrainedTokenizerFast(tokenizer_object=inner), None)
    text = "One. Two.\n\n" * 60 + "Three."
    assert joined.ids("Two.\n\n") != joined.ids("Two.\n\nOne")[: len(joined.ids("Two.\n\n"))]
    found = list(pieces(text, 80, 1, 10, joined))
    assert len(found) > 3
    assert [token for piece in found for token in joined.ids(piece.trained)] == joined.ids(text)


def test_pieces_end_where_a_reader_would_stop(repo: Path, template: Template) -> None:
    found = list(pieces(prose(repo, 5000), 150, 1, 30, template))
    assert len(found) > 5
    well = [piece.trained.rstrip()[-1] in ".!?”’—" for piece in found[:-1]]
    assert sum(well) >= 0.9 * len(well)


def test_a_short_completion_is_one_example(template: Template) -> None:
    made, _ = pairs.items(rows(("Why?", "Because.")), SETTINGS, "", template)
    assert made[0].examples[0]["segments"] == [
        {"label": False, "text": "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"},
        {"label": True, "text": "Because."},
        {"label": True, "text": "<|im_end|>"},
    ]


def test_rows_that_give_nothing_are_told(template: Template) -> None:
    wrong = [Row("a.csv", 2, {"prompt": "x", "completion": " "}), Row("a.csv", 3, {"prompt": "x"}), Row("a.csv", 4, {"prompt": ["x"]})]
    made, bad = pairs.items([*wrong, *rows(("long " * 400, "x"))], SETTINGS, "", template)
    assert made == []
    assert [one.reason for one in bad[:3]] == ["completion is empty", "has no completion; it has prompt", "prompt is not text"]
    assert "of 200 tokens and leaves 0 tokens for the completion" in bad[3].reason


def test_a_blank_before_the_answer_goes_where_the_tokens_stay_the_same(template: Template) -> None:
    """[/INST] and a blank: a blank of its own before the answer is a token that the model never meets when it answers."""
    blank = Template(
        template.tokenizer,
        "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}<|im_end|>{% endif %}{% endfor %}",
    )
    made, _ = pairs.items(rows(("Why?", "The tide " + MIXED)), SETTINGS, "", blank)
    segments = made[0].examples[0]["segments"]
    assert segments[0]["text"].endswith("[/INST]")
    assert segments[1]["text"].startswith(" The tide")
    ids = [token for part in segments for token in template.ids(part["text"])]
    assert ids == template.ids("".join(part["text"] for part in segments))


def test_plain_models_get_plain_text(template: Template) -> None:
    made, _ = pairs.items(rows(("Why?", "Because.")), SETTINGS, "", Template(template.tokenizer, None))
    assert [part["text"] for part in made[0].examples[0]["segments"]] == ["Why?\n\n", "Because.", "<|im_end|>"]


@pytest.mark.req("P4")
def test_the_boundary_is_found_in_the_rendered_template(template: Template) -> None:
    harmony = (
        "{% for m in messages %}{% if m.role == 'assistant' %}<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|return|>"
        "{% else %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endif %}{% endfor %}"
    )
    tokenizer = template.tokenizer.__deepcopy__({}) if hasattr(template.tokenizer, "__deepcopy__") else template.tokenizer
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|start|>", "<|end|>", "<|channel|>", "<|message|>", "<|return|>"]})
    found = Template(tokenizer, harmony).around("", "Why?")
    assert found.before == "<|start|>user<|message|>Why?<|end|><|start|>assistant<|channel|>final<|message|>"
    assert found.end == "<|return|>"
    with pytest.raises(LorewrightError, match="does not show the assistant's answer"):
        Template(tokenizer, "nothing").around("", "Why?")


@pytest.mark.req("R3", "Z3")
def test_rows_come_from_json_jsonl_and_csv_and_a_bad_one_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": "1", "completion": "a"}\nnot json\n\n[1]\n{"prompt": "2", "completion": "b"}\n')
    (tmp_path / "b.json").write_text(json.dumps({"name": "set", "rows": [{"prompt": "3", "completion": "c"}]}))
    (tmp_path / "c.csv").write_text('prompt,completion\n4,"d, with\na line"\n5,e,too many\n')
    (tmp_path / "d.json").write_text("{")
    (tmp_path / "e.txt").write_text("prose")
    found, bad = read_rows([str(tmp_path)])
    assert [row.values["prompt"] for row in found] == ["1", "2", "3", "4"]
    assert found[3].values["completion"] == "d, with\na line"
    assert [one.place for one in bad] == ["a.jsonl:2", "a.jsonl:4", "c.csv:4", "d.json", "e.txt"]
    assert all("\n" not in one.reason for one in bad)


def test_pieces_of_a_row_and_rows_of_a_prompt_stay_on_one_side(template: Template) -> None:
    made, _ = pairs.items(rows(*((f"Question {n % 6}?", MIXED * (1 + n)) for n in range(12))), SETTINGS, "", template)
    training, validation = hold_out_items(made, 0.2, seed=3)
    assert validation
    assert {item.group for item in training} & {item.group for item in validation} == set()
    assert len({item.group for item in training} | {item.group for item in validation}) == 6
    assert hold_out_items(made, 0.2, seed=3) == (training, validation)
