"""Batches: windows of prose, and rows that begin with a chat and are filled up with prose.

A chat stands at the beginning of its row, so it sees nothing but itself, as when it is served; the prose behind it wastes no padding.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from making.prose import Windows
from making.tokenizer import BOS_ID

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""ids, targets (-100 where nothing is learnt), weights of the targets"""
IGNORED = -100
Row = tuple[Any, Any, Any]


class Chats:
    """The encoded chats of a folder, dealt out by size in random order, again and again."""

    def __init__(self, folder: Path, lengths: list[int], seed: int) -> None:
        self.tokens = np.load(folder / "chats.tokens.npy", mmap_mode="r")
        self.learnt = np.load(folder / "chats.learnt.npy", mmap_mode="r")
        self.starts = np.load(folder / "chats.starts.npy")
        self.draw = np.random.default_rng([seed, 7])
        sizes = np.diff(self.starts)
        self.passes: dict[int, int] = dict.fromkeys(lengths, 0)
        self._decks = {
            length: self._deck(length, np.flatnonzero((sizes > below) & (sizes <= length))) for below, length in _bounds(lengths)
        }

    def _deck(self, length: int, members: Any) -> Iterator[int]:
        if not len(members):
            return
        while True:
            self.passes[length] += 1
            yield from self.draw.permutation(members)

    def take(self, length: int) -> tuple[Any, Any] | None:
        """(tokens, learnt as weights) of the next chat of the size for rows of this length; None if there is none of that size."""
        number = next(self._decks[length], None)
        if number is None:
            return None
        start, end = self.starts[number], self.starts[number + 1]
        return np.asarray(self.tokens[start:end]), np.asarray(self.learnt[start:end])


def _bounds(lengths: list[int]) -> list[tuple[int, int]]:
    """(longer than, at most) of the chats for rows of each length: short ones in the shortest rows, all others in all others."""
    ordered = sorted(lengths)
    return [(0 if length == ordered[0] else ordered[0], length) for length in ordered]


def prose_row(windows: Windows) -> Row:
    """(ids, targets, weights) of a window, every token learnt."""
    row = windows.take(windows.length).astype(np.int64)
    return row[:-1], row[1:], np.ones(len(row) - 1, dtype=np.float32)


def chat_row(chat: tuple[Any, Any], windows: Windows) -> Row:
    """(ids, targets, weights) of a chat, learnt where it has a weight, and prose behind a <s>, all of it learnt."""
    tokens, learnt = chat
    room = windows.length - len(tokens) - 1
    filling = windows.take(windows.length)[: max(0, room)]
    row = np.concatenate([tokens, [BOS_ID], filling])[: windows.length].astype(np.int64)
    mask = np.concatenate([learnt, [0], np.ones(len(filling), dtype=np.uint8)])[: windows.length]
    return row[:-1], np.where(mask[1:] > 0, row[1:], IGNORED), mask[1:].astype(np.float32)


def batches(
    windows: dict[int, Windows], shares: dict[int, float], chats: Chats | None, chat_share: float, tokens: int, seed: int
) -> Iterator[Batch]:
    """Endless batches of `tokens` tokens in windows of one length each, drawn by its share; chat_share of the rows begin with a chat."""
    draw = np.random.default_rng([seed, 11])
    lengths, odds = np.array(list(shares)), np.array(list(shares.values()))
    while True:
        length = int(draw.choice(lengths, p=odds / odds.sum()))
        rows = [_row(windows[length], chats if draw.random() < chat_share else None) for _ in range(max(1, tokens // length))]
        ids, targets, weights = (torch.from_numpy(np.stack(side)) for side in zip(*rows, strict=True))
        yield ids, targets, weights


def _row(windows: Windows, chats: Chats | None) -> Row:
    chat = chats.take(windows.length - 1) if chats else None
    return chat_row(chat, windows) if chat else prose_row(windows)


def ahead(source: Iterator[Batch], device: torch.device, depth: int = 6) -> Callable[[], Batch]:
    """The source's batches on the device, made by a thread meanwhile; an error there is raised here."""
    made: queue.Queue[Batch | BaseException] = queue.Queue(depth)

    def fill() -> None:
        try:
            for ids, targets, weights in source:
                made.put(
                    (ids.pin_memory(), targets.pin_memory(), weights.pin_memory()) if device.type == "cuda" else (ids, targets, weights)
                )
        except BaseException as problem:  # noqa: BLE001 - handed over and raised by the taker
            made.put(problem)

    threading.Thread(target=fill, daemon=True).start()

    def take() -> Batch:
        batch = made.get()
        if isinstance(batch, BaseException):
            raise batch
        ids, targets, weights = (side.to(device, non_blocking=True) for side in batch)
        return ids, targets, weights

    return take
