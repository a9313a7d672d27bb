"""Axolotl trains the adapter."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lorewright import envs, process
from lorewright.errors import LorewrightError
from lorewright.models.hub import commit
from lorewright.plan import Step
from lorewright.recipe import is_folder
from lorewright.serving import turns
from lorewright.serving.gpu import visible
from lorewright.stages.axolotl_yaml import recipe_config, write_config
from lorewright.stages.run import Facts, Run
from lorewright.training import full_disk, ladder_record, out_of_memory
from lorewright.training.chart import draw_loss
from lorewright.training.divergence import Finding, LostError, Watch, remedy, stopped
from lorewright.training.kept import Keeper, kept_of
from lorewright.training.ladder import Situation, Taken, applied, next_step
from lorewright.training.packed import with_order
from lorewright.training.progress import Progress, curve, summary
from lorewright.training.resume import earlier_points, newest_whole, tidy
from lorewright.training.stopping import ask_for_checkpoint, trigger, with_trigger

POINTS = "points.jsonl"


def train(step: Step, run: Run) -> Facts:
    """Axolotl trains the adapter; what it logs becomes a progress bar, a curve and numbers.

    Where memory runs out, the recipe's next step is taken and training goes on. Raises LorewrightError when there is none left.
    """
    asked = recipe_config(run, step.name)
    taken, clear = _remembered(run, asked)
    wanted, asker = visible(run.accelerator), turns.Asker(f"training of {run.recipe.name}")
    with turns.cards(wanted, asker, run) as held:
        while True:
            if clear:
                _clear(run.work)
                ladder_record.write(run.work, asked, taken, clear=False)
            begun = _beginning(run)
            if begun:
                run.console.line(f"train     goes on from step {begun}")
            progress = Progress(points=earlier_points(run.work / POINTS, run.work / "adapter" / f"checkpoint-{begun}"))
            kills = out_of_memory.kernel_kills()
            try:
                with full_disk.explained(run.work, progress.facts):
                    _attempt(run, with_order(with_trigger(applied(asked, taken)), run.work), progress, begun, held)
                break
            except KeyboardInterrupt:
                begun = _beginning(run)
                run.console.line(
                    f"train     stopped; it goes on from {f'step {begun}' if begun else 'its beginning: no checkpoint was written yet'}"
                )
                raise
            except process.ToolError as problem:
                if not out_of_memory.ran_out(problem.log, problem.code, out_of_memory.kernel_kills() - kills):
                    raise
                taken = (*taken, _step_down(run, asked, taken, problem, progress))
                clear = taken[-1].anew
                ladder_record.write(run.work, asked, taken, clear=clear)
    facts = _facts(run, progress, begun, taken)
    tidy(run.work / "adapter", run.recipe.train.finished_checkpoints)
    return facts


def _beginning(run: Run) -> int:
    """The step of the newest whole checkpoint, which is then the newest of all; 0 where there is none."""
    found = newest_whole(run.work / "adapter")
    for line in found.said:
        run.console.line(f"train     {line}")
    return found.step


def _remembered(run: Run, asked: Mapping[str, Any]) -> tuple[tuple[Taken, ...], bool]:
    """The steps that an interrupted training had taken, and whether what it left is of another configuration."""
    taken, clear = ladder_record.read(run.work, run.recipe.train.on_out_of_memory)
    if (run.work / ladder_record.RECORD).exists():
        ladder_record.write(run.work, asked, taken, clear=clear)
    if taken:
        said = "; ".join(step.said for step in taken)
        run.console.line(f"train     an earlier try ran out of memory, so it goes on with {said} (--force tries the recipe as it is)")
    return taken, clear


def _attempt(run: Run, config: Mapping[str, Any], progress: Progress, step_done: int, held: Sequence[int]) -> None:
    """One run of Axolotl. step_done: from which it goes on. held: the locks of the cards, which it inherits.

    Raises process.ToolError, and LorewrightError when the loss is lost.
    """
    write_config(run, "train", config)
    watch, begun = _watch(config, progress.points, step_done), time.monotonic()
    keeper = Keeper(run.work / "adapter")
    with run.console.bar("train") as bar, open(run.work / POINTS, "a", encoding="utf-8") as points:

        def on_line(line: str) -> None:
            point = progress.read(line)
            if point:
                at = max(progress.step, step_done)  # the bar has not told yet what an evaluation before the first step is of
                points.write(json.dumps(point | {"step": at, "at": round(time.monotonic() - begun, 2)}) + "\n")
                points.flush()
                done = progress.step / progress.total if progress.total else 0.0
                _look(watch.judge(point | {"step": at}, done), run, config)
            keeper.look(progress.step)
            bar(progress.step, progress.total or None, progress.note())

        def wind_down() -> Callable[[], bool]:
            done = progress.step - step_done
            file = trigger(run.work / "adapter", config)
            if done <= 0 or not file:
                return lambda: True
            over, said = ask_for_checkpoint(run.work / "adapter", file, progress.step, (time.monotonic() - begun) / done)
            run.console.line(f"train     {said}")
            return over

        # accelerate holds a trainer without this variable to one thread
        threads = {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}
        try:
            process.run(
                [str(envs.ensure("train").path / "bin" / "axolotl"), "train", "axolotl.yaml"],
                environment=threads | run.tool_environment("train", model=str(config["base_model"])),
                log=run.paths.log("train"), folder=run.work, on_line=on_line, handles=held, wind_down=wind_down,
            )  # fmt: skip
        except LostError as lost:
            raise stopped(lost.finding, run.work / "adapter", config) from None


def _step_down(run: Run, asked: Mapping[str, Any], taken: tuple[Taken, ...], problem: process.ToolError, progress: Progress) -> Taken:
    """The ladder's next step, told in one line. Raises LorewrightError when there is none."""
    during = out_of_memory.phase(problem.log)
    rungs = run.recipe.train.on_out_of_memory
    found = next_step(Situation(applied(asked, taken), during, taken), rungs, progress.step)
    if isinstance(found, Taken):
        after = "; begins anew, for its checkpoints are of another training" if found.anew else ""
        run.console.line(f"train     out of memory while {_during(during, progress)}: {found.step}, {found.said}{after}")
        return found
    tried = "; ".join(step.said for step in taken)
    steps = f"tried {tried}; nothing is left in train.on_out_of_memory" if taken else "train.on_out_of_memory has no step for it"
    left = f" ({'; '.join(found)})" if found else ""
    raise LorewrightError(
        f"{problem.what} while {_during(during, progress)}; {steps}{left}", where=problem.where, remedy=problem.remedy, tail=problem.tail
    )


def _during(phase: str, progress: Progress) -> str:
    return f"{phase} (step {progress.step} of {progress.total})" if progress.total and phase != "loading" else phase


def _clear(work: Path) -> None:
    """Takes away what another configuration's training has left."""
    shutil.rmtree(work / "adapter", ignore_errors=True)
    shutil.rmtree(kept_of(work / "adapter"), ignore_errors=True)
    (work / POINTS).unlink(missing_ok=True)


def _facts(run: Run, progress: Progress, begun: int, taken: tuple[Taken, ...]) -> Facts:
    draw_loss(curve(progress.points, "loss"), curve(progress.points, "eval_loss"), run.recipe.name, run.work / "loss.png")
    facts = summary(progress) | {"resumed_from_step": begun}
    model = ladder_record.trained_model(run.work, run.recipe.base_model)
    if not is_folder(model):
        facts["base_model_commit"] = commit(model)
    if taken:
        record = ("step", "phase", "at_step", "said", "anew")
        facts["out_of_memory"] = [{key: getattr(step, key) for key in record} for step in taken]
    losses = f"loss {facts['first_loss']:.3f} -> {facts['final_loss']:.3f}" if "first_loss" in facts else "no loss was logged"
    less = f"; for want of memory {'; '.join(step.said for step in taken)}" if taken else ""
    return facts | {"said": f"{facts['steps']} steps, {losses}{less}"}


def _watch(config: Mapping[str, Any], points: list[dict[str, float]], step_done: int) -> Watch:
    """Knows the curve up to the step that the training goes on from."""
    watch = Watch(explosions=not config.get("loss_watchdog_threshold"))
    for point in points:
        if point["step"] <= step_done:
            watch.judge(point)
    return watch


def _look(finding: Finding | None, run: Run, config: Mapping[str, Any]) -> None:
    """A warning is told; what is lost ends the trainer."""
    if finding and finding.stop:
        raise LostError(finding)
    if finding:
        run.console.line(f"train     {finding.what}; {remedy(finding, config)}")
