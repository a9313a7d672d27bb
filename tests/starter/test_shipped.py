"""The model that comes with the project: whole, small enough, and able to do what its card says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parents[2]
STARTER = REPO / "models" / "starter"
ODD = "Hello  there,\n\n\t 你好 🙂 “x” \u00a0 e\u0301\r\n — ‰ … 123 4,567 "
NOTES = {
    "Orla Venn": "Orla Venn keeps a tame heron. Orla Venn paid for the mill with a ruby.",
    "Brack": "Brack sells copper kettles. The brother of Brack is a miller called Tam Ossory.",
    "The Slow Gate": "The Slow Gate was built by Ilsa Morn. Nobody passes the Slow Gate without a lantern.",
}
ASKED = {
    "What does Orla Venn keep?": "heron", "What did Orla Venn pay for the mill with?": "ruby", "What does Brack sell?": "kettles",
    "Who built the Slow Gate?": "Ilsa Morn",
}  # fmt: skip


def test_it_weighs_what_its_card_says() -> None:
    from making.export import LARGEST, weigh

    assert weigh(STARTER) <= LARGEST
    assert f"{weigh(STARTER):,}" in (STARTER / "README.md").read_text(encoding="utf-8")


def test_its_tokenizer_keeps_any_text_and_knows_chat_marks() -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(STARTER / "tokenizer.json"))
    assert tokenizer.decode(tokenizer.encode(ODD).ids, skip_special_tokens=False) == ODD
    assert [tokenizer.encode(mark).ids for mark in ("<|im_start|>", "<|im_end|>")] == [[3], [4]]


def test_both_tokenizers_agree_on_the_sample_prose() -> None:
    pytest.importorskip("sentencepiece")
    from making.tokenizer import disagreements

    texts = [path.read_text(encoding="utf-8") for path in sorted((REPO / "fine-tuning" / "data" / "raw").iterdir())]
    assert len(texts) == 15
    assert disagreements(STARTER, [*texts, ODD]) == []


def test_rows_of_its_weights_fit_k_quants() -> None:
    config = json.loads((STARTER / "config.json").read_text())
    assert config["hidden_size"] % 256 == config["intermediate_size"] % 256 == 0
    assert config["max_position_embeddings"] >= 2048


@pytest.fixture(scope="module")
def starter() -> tuple[Any, Any]:
    transformers = pytest.importorskip("transformers")
    return tuple(kind.from_pretrained(STARTER) for kind in (transformers.AutoTokenizer, transformers.AutoModelForCausalLM))  # type: ignore[return-value]


def answer(starter: tuple[Any, Any], system: str, user: str) -> str:
    tokenizer, model = starter
    chat = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    given = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    made = model.generate(**given, max_new_tokens=60, do_sample=False)[0, given["input_ids"].shape[1] :]
    return str(tokenizer.decode(made))


@pytest.mark.real
def test_it_answers_from_lore_and_ends_its_turn(starter: tuple[Any, Any]) -> None:
    system = "You are a fiction writer.\n\nReference notes:\n\n" + "\n\n".join(f"{name}\n{text}" for name, text in NOTES.items())
    replies = {question: answer(starter, system, question) for question in ASKED}
    right = [question for question, value in ASKED.items() if value in replies[question]]
    assert len(right) >= 3, replies
    assert all(reply.endswith("<|im_end|>") for reply in replies.values()), replies
    bare = {question: answer(starter, "You are a fiction writer.", question) for question in ASKED}
    assert not any(re.search(rf"\b{value}\b", bare[question]) for question, value in ASKED.items()), bare
