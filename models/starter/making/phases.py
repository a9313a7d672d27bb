"""The phases of the making, each from the work folder to the work folder; each returns a line on what it did."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch

from making import corpus, export, measure, model
from making import prose as prose_tokens
from making import tokenizer as pieces
from making.batches import Chats, ahead, batches
from making.chats import encoded
from making.loop import Phase, log, run

PRETRAIN_SHARES = {512: 0.75, 2048: 0.25}
MIX_SHARES = {512: 0.7, 1024: 0.18, 2048: 0.09, 4096: 0.03}


def tokenizer(told: argparse.Namespace) -> str:
    """Trains it and checks every paragraph of every book, the held-out ones included.

    Raises:
        SystemExit: tokenizer.json and tokenizer.model disagree somewhere, or a text does not come back.
    """
    books, folder = corpus.read_books(told.books), told.work / "tokenizer"
    pieces.train(corpus.training(books), folder, pieces=told.pieces, share=1.0, seed=told.seed, threads=told.processes)
    jobs = [(folder, corpus.paragraphs(book.text) + corpus.chunks(book.text)) for book in books]
    with get_context("spawn").Pool(told.processes) as workers:
        wrong = [text for found in workers.starmap(pieces.disagreements, jobs, chunksize=1) for text in found]
    if wrong:
        raise SystemExit(f"tokenizer.json and tokenizer.model disagree on {len(wrong)} texts; the first: {wrong[0][:200]!r}")
    return f"{told.pieces} pieces; agrees and comes back on {sum(len(texts) for _, texts in jobs):,} paragraphs and chunks"


def prose(told: argparse.Namespace) -> str:
    books = corpus.training(corpus.read_books(told.books))
    count = prose_tokens.encode(
        books, told.work / "tokenizer", told.work / "prose", copies=told.copies, seed=told.seed, processes=told.processes
    )
    return f"{count:,} tokens, and {told.copies} copies with other names"


def chats(told: argparse.Namespace) -> str:
    books = corpus.training(corpus.read_books(told.books))
    return encoded.write(
        books, told.work / "tokenizer", told.work / "chats", count=told.chat_count, seed=told.seed, processes=told.processes
    )


def pretrain(told: argparse.Namespace) -> str:
    shape = replace(model.TINY if told.tiny else model.Shape(intermediate=told.intermediate, layers=told.layers), vocabulary=told.pieces)
    made = model.make(shape, told.seed)
    log(f"{sum(weight.numel() for weight in made.parameters()):,} parameters")
    return _train(told, made, Phase("pretrain", told.pretrain_steps, told.minutes, falling=False, **_rates(told)), PRETRAIN_SHARES, 0.0)


def mix(told: argparse.Namespace) -> str:
    return _train(
        told,
        export.load(told.work / "pretrain"),
        Phase("mix", told.steps, told.minutes, falling=True, **_rates(told)),
        MIX_SHARES,
        told.chat_share,
    )


def finish(told: argparse.Namespace) -> str:
    made = export.load(told.work / "mix")
    made.config.dtype = torch.bfloat16
    size = export.finish(made, told.work / "tokenizer", told.output)
    return f"{size:,} bytes in {told.output}"


def _rates(told: argparse.Namespace) -> dict[str, Any]:
    return {"rate": told.rate, "weight_decay": told.weight_decay, "optimizer": told.optimizer, "every": told.every}


def _train(told: argparse.Namespace, made: Any, phase: Phase, shares: dict[int, float], chat_share: float) -> str:
    """Trains and keeps the weights as the phase's result."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")
    made.to(device).train()
    shares = {length: share for length, share in shares.items() if length <= told.tokens}
    seed = told.seed + len(phase.name)
    windows = {length: prose_tokens.Windows(told.work / "prose", length + 1, seed) for length in shares}
    lessons = Chats(told.work / "chats", list(shares), seed) if chat_share else None
    take = ahead(batches(windows, shares, lessons, chat_share, told.tokens, seed), device)
    begun = time.monotonic()
    plain = model.loss_function(made)
    report = _reporter(told, plain, device)
    steps = run(made, _compiled(told, made, plain, list(shares), device), take, phase, report)
    export.keep(made, told.work / phase.name)
    seen = {length: source.passes for length, source in windows.items()}
    return f"{steps} steps in {time.monotonic() - begun:.0f} s; {report()}; passes over the prose by window {seen}"


def _compiled(told: argparse.Namespace, made: Any, plain: measure.Losses, lengths: list[int], device: torch.device) -> measure.Losses:
    """The loss function compiled for every window length, if this is a GPU and compiling works here."""
    if device.type != "cuda" or told.compile == "no":
        return plain
    quick, begun = torch.compile(plain, dynamic=False), time.monotonic()
    try:
        for length in lengths:
            ids = torch.randint(10, 200, (max(1, told.tokens // length), length), device=device)
            with torch.autocast("cuda", torch.bfloat16):
                quick(ids, ids).mean().backward()
            log(f"compiled for windows of {length}: {time.monotonic() - begun:.0f} s")
    except Exception as problem:  # noqa: BLE001 - whatever the compiler raises, eager training still works
        log(f"torch.compile failed, going on without it: {type(problem).__name__}: {str(problem)[:300]}")
        quick = plain
    made.zero_grad(set_to_none=True)
    return quick


def _reporter(told: argparse.Namespace, losses: measure.Losses, device: torch.device) -> Callable[[], str]:
    """Measures bits per byte on the held-out books and the loss on chats kept aside, and says them."""
    books = corpus.held_out(corpus.read_books(told.books))
    texts = [
        measure.HeldOut(np.array(pieces.spm(told.work / "tokenizer").encode(book.text), np.uint16), len(book.text.encode()))
        for book in books
    ]
    aside = told.work / "chats" / "aside"

    def report() -> str:
        bits = [measure.bits_per_byte(losses, [text], device) for text in texts]
        both = sum(bit * text.size for bit, text in zip(bits, texts, strict=True)) / max(1, sum(text.size for text in texts))
        said = f"bits per byte {both:.4f} (" + ", ".join(f"{book.name} {bit:.4f}" for book, bit in zip(books, bits, strict=True)) + ")"
        return said + (f"; chats {encoded.losses_by_kind(losses, aside, device)}" if aside.exists() else "")

    return report
