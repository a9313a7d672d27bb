#!/usr/bin/env python3
"""The forecast of `plan --gpu` beside what was measured on a card: a row a configuration, misses marked.

    python benchmarks/forecast_table.py [MEASURED.json] [--output TABLE.md] [--fit] [--check]

Run it with the core environment. MEASURED.json (by default results/forecast_measured.json), as written by a script that trains:

    {"gpu": "NVIDIA H200",                  a name of configs/hardware/gpus.yaml
     "date": "2026-11-20", "versions": "…", "about": "…",              said above the table
     "configurations": [
       {"name": "QLoRA, Liger",
        "model": "meta-llama/Llama-3.1-8B", or the keys of its config.json: {"hidden_size": 4096, …}
        "axolotl": {"adapter": "qlora", "load_in_4bit": true, "lora_r": 64, …},      the recipe's keys that were used
        "length": 2048,                     tokens of every row; left out: axolotl.sequence_len
        "peak_bytes": 10705207296,          torch.cuda.max_memory_allocated(), or null
        "phases": ["training", "loss"],     in which it was measured (this when left out); also "loading" and "evaluating"
        "tokens_per_second": 9650,          of the steps after warm-up, all tokens of full rows, or null
        "devices": 1,                       cards that shared the batch; the tokens are those of all
        "held_out": true,                   false: a constant of the forecast was set from it
       "note": "…"}]}                      what is to be said of a miss; left out elsewhere

--fit says what three constants of time would be, set from the rows that are not held out (gpus.REACHED, speed.MOST, starts.START).
--check ends with 1 when a row misses what is promised (10 % of the peak, 15 % of the time) and its note says nothing of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "src"))

from lorewright.training.forecast.found import find_model  # noqa: E402
from lorewright.training.forecast.gpus import Gpu, find_gpu  # noqa: E402
from lorewright.training.forecast.memory import GIB, Batch, highest, peaks  # noqa: E402
from lorewright.training.forecast.settings import Settings, settings_of  # noqa: E402
from lorewright.training.forecast.shape import Shape, shape_of  # noqa: E402
from lorewright.training.forecast.speed import MOST, Work, step_seconds, work_of  # noqa: E402
from lorewright.training.forecast.starts import START  # noqa: E402

MEASURED = REPO / "benchmarks" / "results" / "forecast_measured.json"
PEAK, TIME = 0.10, 0.15  # what is promised


@dataclass(frozen=True)
class Row:
    """peak, speed: (measured, foretold) in bytes and tokens a second; None where it was not measured. note: said of a miss."""

    name: str
    held_out: bool
    phase: str
    peak: tuple[float, float] | None
    speed: tuple[float, float] | None
    note: str = ""

    @property
    def missed(self) -> bool:
        return bool(self.peak and abs(off(self.peak)) > PEAK) or bool(self.speed and abs(slower(self.speed)) > TIME)


def off(pair: tuple[float, float]) -> float:
    """How far the foretold figure is above the measured one, as a share of it."""
    return pair[1] / pair[0] - 1


def slower(pair: tuple[float, float]) -> float:
    """The same for the time that a number of tokens takes."""
    return pair[0] / pair[1] - 1


def parts(one: Mapping[str, Any]) -> tuple[Shape, Settings, Batch]:
    model = one["model"]
    shape = find_model(model).shape if isinstance(model, str) else shape_of(model, one["name"])
    settings = settings_of(one["axolotl"], shape)
    return shape, settings, Batch(settings.micro, int(one.get("length") or settings.length))


def row(one: Mapping[str, Any], gpu: Gpu) -> Row:
    shape, settings, batch = parts(one)
    evaluated = Batch(settings.evaluated, batch.length) if settings.evaluated else None
    wanted = one.get("phases") or ["training", "loss"]
    peak = highest([peak for peak in peaks(shape, settings, batch, evaluated) if peak.phase in wanted])
    seconds = settings.gathered * work_of(shape, settings, batch).seconds(gpu) + step_seconds(shape, settings, gpu)
    rate = batch.tokens * settings.gathered * int(one.get("devices") or 1) / seconds
    memory, speed = one.get("peak_bytes"), one.get("tokens_per_second")
    found = (float(memory), peak.allocated) if memory else None, (float(speed), rate) if speed else None
    return Row(one["name"], bool(one.get("held_out")), peak.phase, *found, note=one.get("note", ""))


def table(measured: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Markdown."""
    about = "; ".join(str(measured[key]) for key in ("gpu", "date", "versions") if measured.get(key))
    head = ["# The forecast beside the measurement", "", about + ".", *([measured["about"]] if measured.get("about") else []), ""]
    names = "| configuration | held out | peak measured | foretold | off by | fullest at | tokens/s measured | foretold | time off by | |"
    lines = [*head, names, "|---|---|---|---|---|---|---|---|---|---|", *map(line, rows), ""]
    return "\n".join([*lines, *summary(rows), "", f"`{command()}`"]) + "\n"


def line(one: Row) -> str:
    peak = f"{one.peak[0] / GIB:.2f} GiB | {one.peak[1] / GIB:.2f} GiB | {off(one.peak):+.1%}" if one.peak else "| |"
    speed = f"{one.speed[0]:,.0f} | {one.speed[1]:,.0f} | {slower(one.speed):+.1%}" if one.speed else "| |"
    mark = f"**missed** {one.note}".rstrip() if one.missed else ""
    return f"| {one.name} | {'yes' if one.held_out else 'no'} | {peak} | {one.phase} | {speed} | {mark} |"


def summary(rows: Sequence[Row]) -> list[str]:
    lines = []
    for name, chosen in (("all", rows), ("held out", [one for one in rows if one.held_out])):
        peak, time = [abs(off(one.peak)) for one in chosen if one.peak], [abs(slower(one.speed)) for one in chosen if one.speed]
        said = [f"{kind} within {bound:.0%} for {sum(error <= bound for error in errors)} of {len(errors)}, at most {max(errors):.1%} off"
                for kind, errors, bound in (("peak", peak, PEAK), ("time", time, TIME)) if errors]  # fmt: skip
        lines.append(f"- {name} ({len(chosen)}): {'; '.join(said) or 'none'}")
    return lines


def fit(measured: Mapping[str, Any], gpu: Gpu) -> str:
    """The three constants that come nearest to the rows which are not held out, by the squares of how far each is off."""
    chosen = [one for one in measured["configurations"] if not one.get("held_out") and one.get("tokens_per_second")]
    if not chosen:
        return "no row to set a constant from"
    known = [(*timed(one, gpu), one["tokens_per_second"]) for one in chosen]
    tried = product(range(50, 86), range(100, 428, 5), range(20, 61))
    errors = (
        (squares(known, replace(gpu, reached=reached / 100), most / 100, start / 1e6), reached, most, start)
        for reached, most, start in tried
    )
    _, reached, most, start = min(errors)
    return f"{len(chosen)} rows not held out: REACHED {reached / 100:.2f}, MOST {most / 100:.2f} TB/s, START {start / 1e6:.1e} s"


def timed(one: Mapping[str, Any], gpu: Gpu) -> tuple[Work, int, float, float]:
    """(a micro-batch's work, how many of them make a step, seconds of its optimizer, tokens of a step)."""
    shape, settings, batch = parts(one)
    tokens = batch.tokens * settings.gathered * int(one.get("devices") or 1)
    return work_of(shape, settings, batch), settings.gathered, step_seconds(shape, settings, gpu), tokens


def squares(known: Sequence[tuple[Work, int, float, float, float]], gpu: Gpu, most: float, start: float) -> float:
    """Of how far the time of each row is off."""
    errors = []
    for work, gathered, step, tokens, rate in known:
        tried = replace(work, moved=work.moved * MOST / 1e12 / most, started=work.started * start / START)
        errors.append(rate * (gathered * tried.seconds(gpu) + step) / tokens - 1)
    return sum(error**2 for error in errors)


def command() -> str:
    return "python benchmarks/forecast_table.py"


def main(arguments: Sequence[str] | None = None) -> int:
    words = argparse.ArgumentParser(description="The forecast beside what was measured.")
    words.add_argument("measured", type=Path, nargs="?", default=MEASURED)
    words.add_argument("--output", type=Path, help="a file for the table, beside printing it")
    words.add_argument("--fit", action="store_true", help="say what the constants of time would be, set from the rows not held out")
    words.add_argument("--check", action="store_true", help="end with 1 when a row misses what is promised")
    given = words.parse_args(arguments)
    measured = json.loads(given.measured.read_text(encoding="utf-8"))
    gpu = find_gpu(measured["gpu"])
    rows = [row(one, gpu) for one in measured["configurations"]]
    text = table(measured, rows)
    print(text, end="")
    if given.output:
        given.output.write_text(text, encoding="utf-8")
    if given.fit:
        print(fit(measured, gpu))
    return 1 if given.check and any(one.missed and not one.note for one in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
