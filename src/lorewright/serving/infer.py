"""Answers to a file of prompts without a server: what is answered stays answered, whatever ends the run."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lorewright
from lorewright import envs, process
from lorewright.data.augment import Item, good_prompts
from lorewright.data.augment.journal import mended, sole_writer
from lorewright.errors import LorewrightError
from lorewright.manifest import digest, read_json, write_json, write_whole
from lorewright.progress import Bar, Console
from lorewright.remedies import Remedy, diagnose
from lorewright.serving import turns
from lorewright.serving.as_trained import Asked, RunLike, Wishes, as_trained
from lorewright.serving.gpu import visible

WORKER = Path(lorewright.__file__).parent / "workers" / "infer.py"
TOLD = "infer: "  # begins the worker's own lines
NO_MEMORY = r"OutOfMemoryError|out of memory|CUBLAS_STATUS_ALLOC_FAILED|an't allocate memory|annot allocate memory|MemoryError|signal 9"
MISFIT = r"size mismatch for|Target modules .* not found in the base model"


@dataclass
class _Seen:
    """What the worker has said: answers, their tokens and the seconds they took, and the prompts it left out."""

    console: Console
    done: int = 0
    tokens: int = 0
    seconds: float = 0.0
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def read(self, line: str, bar: Bar) -> None:
        if not line.startswith(TOLD):
            return
        facts = json.loads(line.removeprefix(TOLD))
        if "note" in facts:
            self.notes.append(facts["note"])
        elif "left_out" in facts:
            self.left_out.append(f"{facts['left_out']}: {facts['why']}")
        else:
            self.done, self.tokens, self.seconds = facts["done"], facts["tokens"], facts["seconds"]
            bar(self.done, facts["of"], f"{self.done:,} of {facts['of']:,}, {self.speed} tokens/s")

    @property
    def speed(self) -> str:
        return f"{self.tokens / self.seconds:,.1f}" if self.seconds else "0"


def infer(run: RunLike, prompts: Path, output: Path, wishes: Wishes, batch: int) -> None:
    """Answers each prompt of the file that has no line in `output` yet, `batch` of them at a time.

    A line: the prompt's own fields, prompt, answer, thinking where there is some, finish, tokens, seconds. What the answers depend on
    stands beside, in <output's name>.settings.json; other settings do not go on in the same file.
    Raises LorewrightError: as `as_trained` does, or the worker ended; what had been answered by then is kept.
    """
    items, bad = good_prompts(prompts)
    for problem in bad:
        run.console.stage("infer", f"left out: {problem}")
    asked = as_trained(run, wishes)
    if output.is_dir():
        raise LorewrightError("is a folder", where=str(output), remedy="name a file, for example answers.jsonl")
    work = output.with_name(f".{output.name}.work")
    with sole_writer(work):
        _check_same(output, asked.settings)
        rows, broken, _ = mended(output, "prompt")
        todo = _open(items, rows, wishes.seed)
        if broken:
            run.console.stage("infer", f"{broken} lines of {output.name} cannot be read; their prompts are answered again")
        seen, begun = _Seen(run.console), time.monotonic()
        try:
            if todo:
                _answer(run, asked, todo, output, work, batch, seen)
        finally:
            _sum_up(seen, len(items) - len(todo), len(items), len(bad), time.monotonic() - begun)
        shutil.rmtree(work)
    if not seen.done and len(todo) == len(items):
        raise LorewrightError(f"no prompt was answered: {[*map(str, bad), *seen.left_out][0]}", where=str(prompts))


def _check_same(output: Path, settings: Mapping[str, Any]) -> None:
    """A file holds the answers of one model asked in one way."""
    beside = output.with_name(f"{output.stem}.settings.json")
    if not output.exists() or not output.stat().st_size:
        write_json(beside, settings)
        return
    try:
        known = read_json(beside)
    except ValueError:
        known = None
    other = "name another --output"
    if not isinstance(known, dict):
        raise LorewrightError(f"is there already, and no {beside.name} says how it was made", where=str(output), remedy=other)
    plain = json.loads(json.dumps(settings))
    differ = [name for name in plain if known.get(name) != plain[name]]
    if differ:
        remedy = f"{other} or take this one away, to answer anew; {beside.name} says how it was made"
        raise LorewrightError(f"holds answers made with another {', '.join(differ)}", where=str(output), remedy=remedy)


def _open(items: list[Item], rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """The worker's lines for prompts without an answer; one that stands in the file twice is answered twice, each time by its own seed."""
    answered = Counter(_identity(row.get("id"), row["prompt"]) for row in rows if isinstance(row.get("answer"), str))
    met: Counter[str] = Counter()
    todo = []
    for item in items:
        identity = _identity(item.origin.get("id"), item.text)
        met[identity] += 1
        if met[identity] > answered[identity]:
            number = int(digest([seed, identity, met[identity]]), 16) >> 1  # a generator's seed has 63 bits
            todo.append({"name": item.name, "prompt": item.text, "seed": number, "kept": dict(item.origin) | {"prompt": item.text}})
    return todo


def _identity(given: Any, text: str) -> str:
    return json.dumps([given, text])


def _answer(run: RunLike, asked: Asked, todo: list[dict[str, Any]], output: Path, work: Path, batch: int, seen: _Seen) -> None:
    write_json(work / "request.json", dict(asked.settings) | {"adapter": asked.adapter, "batch": batch} | _stored(asked.stored))
    write_whole(work / "prompts.jsonl", "".join(json.dumps(prompt, ensure_ascii=False) + "\n" for prompt in todo))
    command = [envs.ensure("train").python, str(WORKER), "request.json", "prompts.jsonl", str(output.absolute())]
    # It shares a card with servers, whose record this would be: a training it waits for, and is waited for.
    asker = turns.Asker(f"answers of {run.recipe.name}", run.paths.services / f"infer-{run.recipe.name}.json")
    try:
        with turns.cards(visible(run.accelerator)[:1], asker, run) as held, run.console.bar("infer") as bar:
            bar(0, len(todo), f"loading {run.recipe.model_name}")
            process.run(
                command, environment=run.tool_environment("train"), log=run.paths.log("infer"), folder=work,
                on_line=lambda line: seen.read(line, bar), handles=held,
                explain=lambda log: _explained(log, batch, four_bit=asked.settings["four_bit"], gpu=run.accelerator == "cuda"),
            )  # fmt: skip
    finally:
        for note in (*seen.notes, *(f"left out: {said}" for said in seen.left_out)):
            run.console.stage("infer", note)


def _stored(folder: str) -> dict[str, Any]:
    """The same model, quantised beforehand: nothing is left to do while it is loaded."""
    return {"base_model": folder, "revision": None, "four_bit": False} if folder else {}


def _explained(log: str, batch: int, *, four_bit: bool, gpu: bool) -> Remedy | None:
    if re.search(NO_MEMORY, log):
        ways = [f"a smaller --batch than {batch}"] if batch > 1 else []
        ways += ["--4bit"] if gpu and not four_bit else []
        ways += ["a smaller --max-tokens", "a smaller model"] if not ways else []
        ended = "; ./lorewright stop ends a server that holds the card" if gpu else ""
        do = f"take {' or '.join(ways)} and run again: what is answered is kept{ended}"
        return Remedy(NO_MEMORY, f"{'the GPU' if gpu else 'the machine'} ran out of memory", do)
    if re.search(MISFIT, log):
        return Remedy(MISFIT, "the adapter does not fit the recipe's base_model", "name the recipe that it was trained with")
    return diagnose(log)


def _sum_up(seen: _Seen, earlier: int, total: int, bad: int, seconds: float) -> None:
    parts = [f"{earlier + seen.done:,} of {total:,} prompts answered"]
    parts[0] += f", {earlier:,} of them earlier" if earlier else ""
    parts += [f"{len(seen.left_out) + bad:,} left out"] if seen.left_out or bad else []
    parts += [f"{seen.tokens:,} tokens at {seen.speed} tokens/s"] if seen.done else []
    seen.console.stage("infer", "; ".join(parts), seconds)
