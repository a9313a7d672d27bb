#!/usr/bin/env python3
"""Measures the starter model: what the figures on its model card come from.

    python benchmarks/starter_quality.py --books FOLDER [--model models/starter] [--count 200] [--write FILE] [--samples FILE]

Bits per byte on the held-out works, lore uptake with and without lore, question answering, ends of turns, memorisation and size, as a
Markdown table. Runs on a GPU if there is one. Needs torch, transformers, sentencepiece and the books, which are no part of the project.

Figures that need the whole product (fine-tuning, serving, QLoRA, conversion to GGUF) come from starter_product.py;
--product runs it as well.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO / "benchmarks"), str(REPO / "models" / "starter")]

import starter_memorisation  # noqa: E402
from making import corpus, export, measure, model, tokenizer  # noqa: E402
from starter_eval_prompts import Prompt, prompts  # noqa: E402

ROLE_MARKS = ("<|im_start|>", "<|im_end|>", "<s>", "</s>", "\nassistant\n", "\nuser\n", "\nsystem\n")
Row = tuple[str, str, str, bool]
"""what, measured, to reach, reached"""


@dataclass(frozen=True)
class Answer:
    """text: without special tokens. raw: with them. ended: by <|im_end|>."""

    text: str
    raw: str
    ended: bool


class Starter:
    """The model with its tokenizer, on the GPU if there is one, in bf16 there."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        kind = torch.bfloat16 if self.device.type == "cuda" else torch.float32
        self.tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=kind).to(self.device).eval()

    def answers(self, chats: list[list[dict[str, str]]], *, temperature: float, longest: int, rows: int = 50) -> list[Answer]:
        """One answer a chat; temperature 0: greedy."""
        found: list[Answer] = []
        for at in range(0, len(chats), rows):
            texts = [self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats[at : at + rows]]
            given = self.tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(self.device)
            given.pop("token_type_ids", None)
            sampling = {"do_sample": True, "temperature": temperature, "top_p": 1.0, "top_k": 0} if temperature else {"do_sample": False}
            with torch.no_grad():
                made = self.model.generate(**given, max_new_tokens=longest, **sampling)
            found += [self._answer(row) for row in made[:, given["input_ids"].shape[1] :].tolist()]
        return found

    def _answer(self, ids: list[int]) -> Answer:
        ended = tokenizer.IM_END_ID in ids
        ids = ids[: ids.index(tokenizer.IM_END_ID)] if ended else ids
        return Answer(self.tokenizer.decode(ids, skip_special_tokens=True), self.tokenizer.decode(ids), ended)


def chat(system: str, user: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def plain(text: str) -> str:
    """For looking a value up: small letters, straight apostrophes, single spaces, no emphasis."""
    return " ".join(text.lower().replace("’", "'").replace("*", "").split())


def used(answer: str, prompt: Prompt) -> bool:
    """Whether the answer has the value of a fact that the user's message does not have."""
    return any(has(answer, value) and not has(prompt.scene, value) for value in prompt.values)


def has(text: str, value: str) -> bool:
    """Whether the text has the value as whole words."""
    return re.search(rf"\b{re.escape(plain(value))}\b", plain(text)) is not None


def share(of: list[bool]) -> float:
    return sum(of) / max(1, len(of))


def bits(starter: Starter, folder: Path, model_folder: Path) -> float:
    """Bits per byte on the held-out works together: windows of 2,048 tokens, each token with at least 1,024 before it."""
    processor = tokenizer.spm(model_folder)
    books = corpus.held_out(corpus.read_books(folder))
    texts = [measure.HeldOut(np.array(processor.encode(book.text), np.uint16), len(book.text.encode())) for book in books]
    return measure.bits_per_byte(model.loss_function(starter.model), texts, starter.device)


def proxy_system(prompt: Prompt) -> str:
    """The same notes in the block that lorewright's proxy injects (which the training data know)."""
    from making.chats.systems import Note, proxy_block

    return "You are a fiction writer.\n\n" + proxy_block(
        [Note(f"lore/{name.split()[-1].lower()}.md", name, text) for name, text in prompt.notes]
    )


def measured(told: argparse.Namespace) -> tuple[list[Row], list[dict[str, Any]]]:
    """All rows, and what the model answered."""
    starter, asked = Starter(told.model), prompts(told.count, told.seed)
    torch.manual_seed(told.seed)
    lore = starter.answers([chat(one.with_lore, one.scene) for one in asked], temperature=0.7, longest=400)
    bare = starter.answers([chat(one.without_lore, one.scene) for one in asked], temperature=0.7, longest=400)
    proxy = starter.answers([chat(proxy_system(one), one.scene) for one in asked], temperature=0.7, longest=400)
    replies = starter.answers([chat(one.with_lore, one.question) for one in asked], temperature=0.0, longest=80)
    through = starter.answers([chat(proxy_system(one), one.question) for one in asked], temperature=0.0, longest=80)
    rows = [
        *held_out_row(starter, told),
        at_least(f"lore uptake with lore, {told.count} prompts", share([used(a.text, p) for a, p in zip(lore, asked, strict=True)]), 0.60),
        at_most("lore uptake without lore", share([used(a.text, p) for a, p in zip(bare, asked, strict=True)]), 0.05),
        at_least("lore uptake, lore as the proxy gives it", share([used(a.text, p) for a, p in zip(proxy, asked, strict=True)]), 0.60),
        at_least("question answering from lore", share([has(a.text, p.asked) for a, p in zip(replies, asked, strict=True)]), 0.70),
        at_least(
            "question answering, lore as the proxy gives it",
            share([has(a.text, p.asked) for a, p in zip(through, asked, strict=True)]),
            0.70,
        ),
        at_least("ends its turn within 400 tokens at 0.7", share([a.ended for a in lore + bare]), 0.95),
        at_most(
            "answers with role tokens", share([any(mark in f"\n{a.raw}\n" for mark in ROLE_MARKS) for a in lore + bare + replies]), 0.0
        ),
        *memorisation_row(bare, told),
        size_row(told.model),
    ]
    said = [
        {
            "scene": p.scene,
            "values": p.values,
            "with_lore": a.text,
            "without_lore": b.text,
            "question": p.question,
            "asked": p.asked,
            "reply": c.text,
        }
        for p, a, b, c in zip(asked, lore, bare, replies, strict=True)
    ]
    return rows, said


def held_out_row(starter: Starter, told: argparse.Namespace) -> list[Row]:
    if not told.books:
        return []
    value = bits(starter, told.books, told.model)
    return [("bits per byte, held-out works", f"{value:.4f}", "≤ 1.45", value <= 1.45)]


def memorisation_row(answers: list[Answer], told: argparse.Namespace) -> list[Row]:
    if not told.books:
        return []
    index = starter_memorisation.index(told.books, corpus.HELD_OUT)
    runs = [index.longest(answer.text) for answer in answers]
    middle = statistics.median(runs)
    return [(f"longest verbatim run, words, median of {len(runs)} samples (most {max(runs)})", f"{middle:g}", "≤ 12", middle <= 12)]


def size_row(folder: Path) -> Row:
    size = export.weigh(folder)
    return ("bytes of the model’s files", f"{size:,}", f"≤ {export.LARGEST:,}", size <= export.LARGEST)


def at_least(what: str, value: float, bound: float) -> Row:
    return what, f"{value:.1%}", f"≥ {bound:.0%}", value >= bound


def at_most(what: str, value: float, bound: float) -> Row:
    return what, f"{value:.1%}", f"≤ {bound:.0%}", value <= bound


def table(rows: list[Row]) -> str:
    lines = ["| figure | measured | to reach | |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {what} | {value} | {bound} | {'yes' if well else '**no**'} |" for what, value, bound, well in rows)])


def main(argv: list[str] | None = None) -> int:
    read = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    read.add_argument("--model", type=Path, default=REPO / "models" / "starter")
    read.add_argument("--books", type=Path, help="the corpus; without it, no bits per byte and no memorisation")
    read.add_argument("--count", type=int, default=200)
    read.add_argument("--seed", type=int, default=7)
    read.add_argument("--write", type=Path, help="a file for the table")
    read.add_argument("--samples", type=Path, help="a file for prompts and answers, as JSON lines")
    read.add_argument("--product", action="store_true", help="then starter_product.py, a quarter of an hour on a processor")
    told = read.parse_args(argv)
    begun = time.monotonic()
    rows, said = measured(told)
    text = table(rows)
    print(text)
    print(f"\n{time.monotonic() - begun:.0f} s, seed {told.seed}, {told.count} prompts, {'GPU' if torch.cuda.is_available() else 'CPU'}")
    if told.write:
        told.write.write_text(text + "\n", encoding="utf-8")
    if told.samples:
        told.samples.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in said), encoding="utf-8")
    reached = all(row[3] for row in rows)
    if told.product:
        reached &= subprocess.run([sys.executable, str(REPO / "benchmarks" / "starter_product.py")], check=False).returncode == 0
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
