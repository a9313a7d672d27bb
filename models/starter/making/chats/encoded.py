"""Chats as tokens on disk, made by many processes; and the loss on those kept aside."""

from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from making.chats.chat import Chat
from making.chats.draw import LESSONS, chat
from making.chats.passages import Library
from making.corpus import Book
from making.measure import Losses
from making.tokenizer import IM_END_ID, IM_START_ID, spm

LONGEST = 2048
FIRST, FIRST_WEIGHT = 8, 6
WEIGHTS = {"question": 1, "describe": 2, "recall": 1, "unknown": 2, "quote": 1, "told": 2}
"""How much an answer's tokens count: short answers would drown in scenes."""
SHORT = frozenset(("question", "recall", "quote"))
"""Kinds whose first tokens decide; what comes behind them is mostly copied. These count FIRST_WEIGHT."""
_state: dict[str, Any] = {}


def encode(made: Chat, processor: Any) -> tuple[list[int], list[int]]:
    """(ids, learnt) as the chat template writes the chat; learnt: the weight of an answer's tokens and of its <|im_end|>, else 0."""
    ids: list[int] = []
    learnt: list[int] = []
    newline = processor.encode("\n")
    for role, text in made.turns:
        head, body = [IM_START_ID, *processor.encode(f"{role}\n")], processor.encode(text)
        if role != "assistant":  # the role and the text are one piece of text for the tokenizer
            head, body = [IM_START_ID, *processor.encode(f"{role}\n{text}")], []
        ids += [*head, *body, IM_END_ID, *newline]
        mark = WEIGHTS.get(made.kind, 1) if role == "assistant" else 0
        first = min(len(body), FIRST) if mark and made.kind in SHORT else 0
        learnt += [*[0] * len(head), *[FIRST_WEIGHT] * first, *[mark] * (len(body) - first + 1), *[0] * len(newline)]
    return ids, learnt


def _begin(books: list[Book], folder: Path, seed: int) -> None:
    _state.update(library=Library(books), processor=spm(folder), seed=seed)


def _share(numbers: range) -> tuple[Any, Any, Any, Any]:
    """(tokens, learnt, sizes, kinds) of the chats of these numbers, without those that are too long."""
    tokens: list[int] = []
    learnt: list[int] = []
    sizes: list[int] = []
    kinds: list[int] = []
    for number in numbers:
        made = chat(_state["library"], _state["seed"], number)
        ids, marks = encode(made, _state["processor"])
        if len(ids) <= LONGEST:
            tokens += ids
            learnt += marks
            sizes.append(len(ids))
            kinds.append(list(LESSONS).index(made.kind))
    return np.array(tokens, np.uint16), np.array(learnt, np.uint8), np.array(sizes, np.int64), np.array(kinds, np.uint8)


def write(books: list[Book], folder: Path, target: Path, *, count: int, seed: int, processes: int, aside: int = 400) -> str:
    """Writes `count` chats into the target folder and a few more into target/aside. folder: the tokenizer's."""
    step = max(50, min(2000, count // processes // 4))
    jobs = [range(start, min(start + step, count)) for start in range(0, count, step)] + [range(count, count + aside)]
    with get_context("spawn").Pool(processes, _begin, (books, folder, seed)) as workers:
        parts = workers.map(_share, jobs, chunksize=1)
    _save(parts[:-1], target)
    _save(parts[-1:], target / "aside")
    sizes = np.concatenate([part[2] for part in parts])
    kinds = np.bincount(np.concatenate([part[3] for part in parts]), minlength=len(LESSONS))
    spread = ", ".join(f"{name} {number:,}" for name, number in zip(LESSONS, kinds, strict=True))
    learnt = sum(int((part[1] > 0).sum()) for part in parts)
    lengths = f"longest {int(sizes.max())}, median {int(np.median(sizes))}"
    return f"{len(sizes):,} chats ({spread}), {int(sizes.sum()):,} tokens, {learnt:,} of them answers; {lengths}"


def _save(parts: list[tuple[Any, Any, Any, Any]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokens, learnt, sizes, kinds = (np.concatenate(column) for column in zip(*parts, strict=True))
    np.save(folder / "chats.tokens.npy", tokens)
    np.save(folder / "chats.learnt.npy", learnt)
    np.save(folder / "chats.starts.npy", np.concatenate([[0], np.cumsum(sizes)]))
    np.save(folder / "chats.kinds.npy", kinds)


def losses_by_kind(losses: Losses, folder: Path, device: torch.device, rows: int = 8, most: int = 200) -> str:
    """For each kind of chat the mean loss of its answers' tokens, in nats."""
    tokens, learnt, starts, kinds = (np.load(folder / f"chats.{name}.npy") for name in ("tokens", "learnt", "starts", "kinds"))
    order = np.argsort(np.diff(starts)[:most])
    totals = np.zeros((len(LESSONS), 2))
    for at in range(0, len(order), rows):
        group = order[at : at + rows]
        length = int(np.diff(starts)[group].max())
        ids = torch.zeros(len(group), length, dtype=torch.int64)
        targets = torch.full((len(group), length), -100)
        for row, number in enumerate(group):
            one = torch.from_numpy(tokens[starts[number] : starts[number + 1]].astype(np.int64))
            mark = torch.from_numpy(learnt[starts[number] : starts[number + 1]])
            ids[row, : len(one)] = one
            targets[row, : len(one) - 1] = torch.where(mark[1:] > 0, one[1:], -100)
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            found = losses(ids.to(device), targets.to(device)).float().cpu()
        for row, number in enumerate(group):
            totals[kinds[number]] += float(found[row].sum()), int((targets[row] != -100).sum())
    return " ".join(f"{name} {total / max(1, count):.3f}" for name, (total, count) in zip(LESSONS, totals, strict=True))
