"""Axolotl trains the adapter."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lorewright import envs, preflight, process
from lorewright.errors import LorewrightError
from lorewright.manifest import RECORD, read_json
from lorewright.models.hub import commit
from lorewright.models.lineage import sha256
from lorewright.plan import Step
from lorewright.preflight import Wanted
from lorewright.progress import shown
from lorewright.serving import turns
from lorewright.serving.gpu import drawn
from lorewright.stages.axolotl_yaml import recipe_config, write_config
from lorewright.stages.launched import free_port, launched
from lorewright.stages.run import Facts, Run
from lorewright.stages.trained import POINTS, TENSORBOARD, draw, finished
from lorewright.training import full_disk, ladder_record, out_of_memory, points
from lorewright.training.divergence import Finding, LostError, Watch, remedy, stopped
from lorewright.training.kept import Keeper, kept_of
from lorewright.training.ladder import Situation, Taken, applied, next_step
from lorewright.training.launch import Launcher
from lorewright.training.live import Live
from lorewright.training.meter import Meter
from lorewright.training.plugins import with_plugins
from lorewright.training.points import Point
from lorewright.training.progress import Progress
from lorewright.training.resume import newest_whole, recorded
from lorewright.training.several import fitted, for_each
from lorewright.training.shares import check_shares, check_steps, note_steps
from lorewright.training.stopping import ask_for_checkpoint, clear_trigger, trigger, with_trigger


@dataclass(frozen=True)
class Began:
    """What every point of an attempt says of itself: points.py has the meaning."""

    attempt: int
    begun: int
    taken: int


def train(step: Step, run: Run) -> Facts:
    """Axolotl trains the adapter; what it logs becomes a progress bar, a curve and numbers.

    Where memory runs out, the recipe's next step is taken and training goes on. Raises LorewrightError when there is none left.
    """
    launch, wanted = launched(run)
    _tell_moved(run)
    asked, recipe = _shared(run, {"use_tensorboard": True} | recipe_config(run, step.name), launch.processes), sha256(run.recipe.file)
    taken, clear = _remembered(run, asked)
    config, ledger = applied(asked, taken), run.done.get("ledger")
    preflight.check_training(Wanted(run.recipe, run.plan, run.paths, config, run.accelerator, run.work, ledger), run.console.line)
    with turns.cards(wanted, turns.Asker(f"training of {run.recipe.name}"), run) as held:
        while True:
            if clear:
                _clear(run.work)
                ladder_record.write(run.work, asked, taken, clear=False)
            config = with_plugins(with_trigger(applied(asked, taken)), run.work)
            begun = _beginning(run, _of_each(run, config, launch), launch.processes)
            earlier = points.mended(run.work / POINTS)
            progress = Progress(step=begun, points=recorded(points.standing(earlier, begun), run.work / "adapter" / f"checkpoint-{begun}"))
            began = Began(points.attempts(earlier) + 1, begun, len(taken))
            kills = out_of_memory.kernel_kills()
            try:
                with full_disk.explained(run.work, progress.facts):
                    _attempt(run, config, (launch, wanted), progress, began, held)
                    return finished(run, progress, begun, taken, recipe)
            except KeyboardInterrupt:
                _say_stopped(run)
                raise
            except process.ToolError as problem:
                if not out_of_memory.ran_out(problem.log, problem.code, out_of_memory.kernel_kills() - kills):
                    raise
                taken = (*taken, _step_down(run, asked, taken, problem, progress))
                clear = taken[-1].anew
                ladder_record.write(run.work, asked, taken, clear=clear)


def _tell_moved(run: Run) -> None:
    """What was converted is of one commit of the hub's, and the merge takes the newest that is here."""
    made = (read_json(run.done["convert"] / RECORD) or {}).get("facts", {}).get("base_model_commit") if run.recipe.convert else None
    now = commit(run.recipe.base_model)
    if made and now and now != made:
        how = f"./lorewright run {shown(run.recipe.file)} --only convert --force makes it anew"
        run.console.line(f"train     the base model in NF4 is of commit {made[:12]}, the one in the hub's cache of {now[:12]}; {how}")


def _beginning(run: Run, config: Mapping[str, Any], cards: int) -> int:
    """The step of the newest whole checkpoint, which is then the newest of all; 0 where there is none.

    config: what each of the cards is told. Raises LorewrightError where the checkpoint is of other steps than these cards make.
    """
    found = newest_whole(run.work / "adapter")
    for line in found.said:
        run.console.line(f"train     {line}")
    if found.step:
        check_shares(run.work / "adapter" / f"checkpoint-{found.step}", cards)
        check_steps(run.work, config, cards)
        run.console.line(f"train     goes on from step {found.step}")
    note_steps(run.work, config, cards)
    return found.step


def _say_stopped(run: Run) -> None:
    begun = newest_whole(run.work / "adapter").step
    run.console.line(f"train     stopped; it goes on from {f'step {begun}' if begun else 'its beginning: no checkpoint was written yet'}")


def _of_each(run: Run, config: Mapping[str, Any], launch: Launcher) -> dict[str, Any]:
    """What each card is told of a configuration of the whole step."""
    return for_each(config, launch.processes) if run.recipe.train.keep_batch else dict(config)


def _remembered(run: Run, asked: Mapping[str, Any]) -> tuple[tuple[Taken, ...], bool]:
    """The steps that an interrupted training had taken, and whether what it left is of another configuration."""
    taken, clear = ladder_record.read(run.work, run.recipe.train.on_out_of_memory)
    if (run.work / ladder_record.RECORD).exists():
        ladder_record.write(run.work, asked, taken, clear=clear)
    if taken:
        said = "; ".join(step.said for step in taken)
        run.console.line(f"train     an earlier try ran out of memory, so it goes on with {said} (--force tries the recipe as it is)")
    return taken, clear


def _shared(run: Run, config: dict[str, Any], cards: int) -> dict[str, Any]:
    """The configuration with a batch that the cards can share evenly, where they share it."""
    if not run.recipe.train.keep_batch:
        return config
    fit, said = fitted(config, cards)
    if said:
        run.console.line(f"train     {said}")
    return fit


OnCards = tuple[Launcher, tuple[str, ...]]  # as launched() gives it


def _attempt(run: Run, config: Mapping[str, Any], on: OnCards, progress: Progress, began: Began, held: Sequence[int]) -> None:
    """One run of Axolotl. config: of the whole step. began: what it goes on from. held: the locks of the cards, which it inherits.

    Raises process.ToolError, and LorewrightError when the loss is lost.
    """
    launch, wanted = on
    command = launch.command(envs.ensure("train").path / "bin", free_port())
    clear_trigger(run.work / "adapter", config)
    write_config(run, "train", _of_each(run, config, launch), launch.by_hand())
    watch = _watch(config, progress.points)
    variables = launch.variables(len(os.sched_getaffinity(0))) | {"TENSORBOARD_LOGGING_DIR": TENSORBOARD}
    with (
        Meter(partial(drawn, wanted)) as meter,
        run.console.bar("train") as bar,
        open(run.work / POINTS, "a", encoding="utf-8") as sink,
    ):
        keeper = Keeper(run.work / "adapter")
        live = Live(progress, config, asdict(began), sink, watch, meter, bar, partial(_tell, run, config), keeper.look)
        try:
            process.run(
                command, environment=run.tool_environment("train", variables, model=str(config["base_model"])),
                log=run.paths.log("train"), folder=run.work, on_line=live.line, handles=held,
                wind_down=partial(_wind_down, run, config, live),
            )  # fmt: skip
        except LostError as lost:
            draw(progress.points, run.recipe.name, run.work)
            raise stopped(lost.finding, run.work / "adapter", config) from None


def _wind_down(run: Run, config: Mapping[str, Any], live: Live) -> Callable[[], bool]:
    """At an interruption: asks for a checkpoint, and says when it has been waited for."""
    done = live.progress.step - live.attempt["begun"]
    file = trigger(run.work / "adapter", config)
    if done <= 0 or not file:
        return lambda: True
    over, said = ask_for_checkpoint(run.work / "adapter", file, live.progress.step, (time.monotonic() - live.started) / done)
    run.console.line(f"train     {said}")
    return over


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
    shutil.rmtree(work / TENSORBOARD, ignore_errors=True)
    shutil.rmtree(kept_of(work / "adapter"), ignore_errors=True)
    (work / POINTS).unlink(missing_ok=True)


def _watch(config: Mapping[str, Any], points: Sequence[Point]) -> Watch:
    """Knows the curve that the training goes on from."""
    watch = Watch(explosions=not config.get("loss_watchdog_threshold"))
    for point in points:
        watch.judge(point)
    return watch


def _tell(run: Run, config: Mapping[str, Any], finding: Finding) -> None:
    """A warning is told; what is lost ends the trainer."""
    if finding.stop:
        raise LostError(finding)
    run.console.line(f"train     {finding.what}; {remedy(finding, config)}")
