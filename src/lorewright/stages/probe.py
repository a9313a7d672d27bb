"""A few real Axolotl steps on the longest examples, to know the peak and the time instead of computing them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lorewright import envs, process
from lorewright.errors import LorewrightError
from lorewright.manifest import write_whole
from lorewright.progress import shown
from lorewright.serving import turns
from lorewright.serving.gpu import visible
from lorewright.stages.axolotl_yaml import recipe_config, write_config
from lorewright.stages.ledger import SAMPLES
from lorewright.stages.run import Run
from lorewright.training import out_of_memory
from lorewright.training.plugins import with_plugins
from lorewright.training.probing import Probed, line_counts, longest, probe_config, read_probe, rows, wanted
from lorewright.training.progress import Progress


def probe(run: Run) -> Probed:
    """Trains a few steps in `runs/<recipe>/probe`, which is removed again; its log stays.

    Raises LorewrightError when the set is not made yet, and when it does not fit.
    """
    samples = _made(run)
    run.work = run.paths.home / "probe"
    process.end_leftover(run.work / process.RECORD)  # of a probe that was killed
    shutil.rmtree(run.work, ignore_errors=True)
    run.work.mkdir(parents=True)
    try:
        config = recipe_config(run, "probe")
        chosen = longest(samples, "training", wanted(config))
        _copy(run, "training.jsonl", chosen)
        held_out = "test_datasets" in config
        if held_out:
            _copy(
                run,
                "validation.jsonl",
                longest(samples, "validation", int(config.get("eval_batch_size") or config.get("micro_batch_size") or 1)),
            )
        config = with_plugins(probe_config(config, "training.jsonl", "validation.jsonl" if held_out else None), run.work)
        write_config(run, "train", config)
        return read_probe(_train(run, config), line_counts(chosen))
    finally:
        shutil.rmtree(run.work, ignore_errors=True)


def _made(run: Run) -> Path:
    """The ledger's samples, once the set is known to be made."""
    for stage in ("prepare", "ledger"):
        folder = run.paths.latest(run.plan.step(stage))
        if not folder.exists():
            remedy = f"make it: ./lorewright prepare {shown(run.recipe.file)}"
            raise LorewrightError("a probe trains on the recipe's own set, which has not been made yet", remedy=remedy)
        run.done[stage] = folder.resolve()
    if run.recipe.convert:
        folder = run.paths.latest(run.plan.step("convert"))
        if not folder.exists():
            remedy = f"make it: ./lorewright run {shown(run.recipe.file)} --only convert"
            raise LorewrightError("a probe starts from the base model in NF4, which has not been made yet", remedy=remedy)
        run.done["convert"] = folder.resolve()
    return run.done["ledger"] / SAMPLES


def _copy(run: Run, name: str, chosen: Sequence[tuple[int, int]]) -> None:
    with open(run.done["prepare"] / name, encoding="utf-8") as file:
        write_whole(run.work / name, rows(file.readlines(), chosen))


def _train(run: Run, config: Mapping[str, Any]) -> list[dict[str, float]]:
    """What was logged, with the second of each."""
    points: list[dict[str, float]] = []
    progress, begun, kills = Progress(), time.monotonic(), out_of_memory.kernel_kills()
    cards = visible(run.accelerator)[:1]
    own = {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))} | ({"CUDA_VISIBLE_DEVICES": cards[0]} if cards else {})
    environment = own | run.tool_environment("train", model=str(config["base_model"]))
    command = [str(envs.ensure("train").path / "bin" / "axolotl"), "train", "axolotl.yaml"]
    with turns.cards(cards, turns.Asker(f"probe of {run.recipe.name}"), run) as held, run.console.bar("probe") as bar:

        def on_line(line: str) -> None:
            point = progress.read(line)
            if point:
                points.append({**point, "at": time.monotonic() - begun})
            bar(progress.step, progress.total or None, "a few real steps on the longest examples")

        try:
            process.run(command, environment=environment, log=run.paths.log("probe"), folder=run.work, on_line=on_line, handles=held)
        except process.ToolError as problem:
            if not out_of_memory.ran_out(problem.log, problem.code, out_of_memory.kernel_kills() - kills):
                raise
            raise _too_large(run, out_of_memory.phase(problem.log)) from None
    return points


def _too_large(run: Run, phase: str) -> LorewrightError:
    how = f"./lorewright plan {shown(run.recipe.file)} --gpu this says what to change"
    return LorewrightError(f"it does not fit: the probe ran out of memory while {phase}", where=str(run.paths.log("probe")), remedy=how)
