"""What is kept of a training that has ended: its figures, curves, page, lineage and model card."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from lorewright import envs
from lorewright.manifest import latest_manifest, read_json, write_json, write_whole
from lorewright.models.adapter import name_base
from lorewright.models.card import adapter_card
from lorewright.models.hub import commit
from lorewright.models.lineage import NAME as LINEAGE
from lorewright.models.lineage import lineage
from lorewright.models.tokenizer import beside_adapter
from lorewright.progress import shown
from lorewright.recipe import is_folder, split_revision
from lorewright.serving.gpu import cards, for_training
from lorewright.stages.run import Facts, Run
from lorewright.training import ladder_record, points, record
from lorewright.training.chart import draw_loss
from lorewright.training.checkpoints import checkpoints, step_of
from lorewright.training.ladder import Taken
from lorewright.training.page import Trained, page
from lorewright.training.points import Point, curve
from lorewright.training.progress import Progress, summary
from lorewright.training.resume import tidy
from lorewright.training.versions import versions

POINTS, TENSORBOARD, REPORT = "points.jsonl", "tensorboard", "report.html"


def finished(run: Run, progress: Progress, begun: int, taken: tuple[Taken, ...], asked: str) -> Facts:
    """Writes all that is told of the training.

    begun: the step that its last attempt went on from. asked: the recipe's hash as it began, for the file may have been changed since.
    """
    adapter = run.work / "adapter"
    model = ladder_record.trained_model(run.work, run.recipe.base_model)
    if run.recipe.convert:
        name_base(adapter, split_revision(model)[0])
    told = beside_adapter(adapter, model)
    if told:
        run.console.line(f"train     {told}")
    logged = points.read(run.work / POINTS)
    axolotl = yaml.safe_load((run.work / "axolotl.yaml").read_text(encoding="utf-8"))
    figures = record.figures(progress, logged, _machine(run), _adapter_step(adapter, axolotl))
    write_json(run.work / record.NAME, figures)
    draw(progress.points, run.recipe.name, run.work)
    known = None if is_folder(model) else commit(model)
    trained = _trained(run, _named(model, known), axolotl, figures, progress.points, taken)
    write_whole(run.work / REPORT, page(trained, _links(run), _next(run)))
    come_from = lineage(trained, run.recipe, model, known, run.done["prepare"], adapter, asked)
    write_json(run.work / LINEAGE, come_from)
    write_whole(adapter / "README.md", adapter_card(come_from))
    shutil.copyfile(run.work / "loss.png", adapter / "loss.png")  # the card shows it
    _say(run)
    run.afterwards = partial(_tidy, wanted=run.recipe.train.finished_checkpoints)
    return _facts(progress, begun, taken, figures) | ({} if is_folder(model) else {"base_model_commit": known})


def _tidy(folder: Path, wanted: str) -> None:
    """Until the folder is finished its checkpoints are what a cut off end goes on from."""
    tidy(folder / "adapter", wanted)


def draw(logged: Sequence[Point], title: str, folder: Path) -> None:
    """loss.png and loss.dark.png."""
    losses, held = curve(logged, "loss", "step"), curve(logged, "eval_loss", "step")
    draw_loss(losses, held, title, folder / "loss.png")
    draw_loss(losses, held, title, folder / "loss.dark.png", dark=True)


def _adapter_step(adapter: Path, axolotl: Mapping[str, Any]) -> int | None:
    """The step whose weights the trainer has taken in the end, where it was told to take the best; None for the last."""
    if not axolotl.get("load_best_model_at_end") and not axolotl.get("early_stopping_patience"):
        return None
    newest = max(_kept(adapter), default=0)
    best = (read_json(adapter / f"checkpoint-{newest}" / "trainer_state.json") or {}).get("best_global_step")
    return int(best) if best else None


def _machine(run: Run) -> record.Machine:
    """The cards that were trained on, or the processor."""
    wanted = for_training(run.accelerator, run.recipe.train.devices)
    names = {card.uuid: card.name for card in cards()} if wanted else {}
    if wanted:
        return record.Machine(names.get(wanted[0], "NVIDIA GPU"), len(wanted))
    return record.Machine(f"{_processor()}, {len(os.sched_getaffinity(0))} cores", 0)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _trained(
    run: Run, base: str, axolotl: Mapping[str, Any], figures: dict[str, Any], logged: Sequence[Point], taken: Sequence[Taken]
) -> Trained:
    forecast = (latest_manifest(run.paths.manifests) or {}).get("forecast") or {}
    foretold = None if taken else forecast.get("peak_vram_bytes")  # of the recipe as it is
    return Trained(
        run.recipe.name, base, axolotl, figures, read_json(run.done["ledger"] / "ledger.json") or {}, logged, _left(run),
        [f"{step.said} (out of memory while {step.phase}, step {step.at_step})" for step in taken], foretold,
        versions(envs.locate("train").path),
    )  # fmt: skip


def _named(model: str, known: str | None) -> str:
    """The base model as a person knows it, with the beginning of its commit."""
    name = Path(model).name if is_folder(model) else split_revision(model)[0]
    return f"{name}@{known[:12]}" if known else name


def _kept(adapter: Path) -> list[int]:
    return [step_of(folder) for folder in checkpoints(adapter)]


def _left(run: Run) -> list[int]:
    """The checkpoints that will be left."""
    return [] if run.recipe.train.finished_checkpoints == "none" else _kept(run.work / "adapter")


def _links(run: Run) -> dict[str, str]:
    """Relative ones, which hold in the finished folder and through `latest` alike."""
    report = run.done["ledger"] / REPORT
    return {"picture": "loss.png", "set": os.path.relpath(report, run.work) if report.exists() else ""}


def _next(run: Run) -> list[tuple[str, str]]:
    """(what for, command)."""
    recipe = shown(run.recipe.file)
    commands = [("Merge it, if the run has not, and talk to it:", f"./lorewright merge {recipe}\n./lorewright serve {recipe}")]
    return commands + ([("The curves in TensorBoard:", _tensorboard(run))] if (run.work / TENSORBOARD).is_dir() else [])


def _tensorboard(run: Run) -> str:
    latest = run.paths.latest(run.plan.step("train"))
    return f"{envs.locate('train').path / 'bin' / 'tensorboard'} --logdir {shown(latest / TENSORBOARD)}"


def _say(run: Run) -> None:
    latest = run.paths.latest(run.plan.step("train"))
    run.console.line(f"train     report: {shown(latest / REPORT)}")
    if (run.work / TENSORBOARD).is_dir():
        run.console.line(f"train     TensorBoard: {_tensorboard(run)}")


def _facts(progress: Progress, begun: int, taken: tuple[Taken, ...], figures: dict[str, Any]) -> Facts:
    """What the manifest keeps."""
    facts = summary(progress) | {"resumed_from_step": begun, "figures": figures}
    if taken:
        kept = ("step", "phase", "at_step", "said", "anew")
        facts["out_of_memory"] = [{key: getattr(step, key) for key in kept} for step in taken]
    losses = f"loss {facts['first_loss']:.3f} -> {facts['final_loss']:.3f}" if "first_loss" in facts else "no loss was logged"
    held = f", on held-out text {facts['first_eval_loss']:.3f} -> {facts['final_eval_loss']:.3f}" if "first_eval_loss" in facts else ""
    less = f"; for want of memory {'; '.join(step.said for step in taken)}" if taken else ""
    return facts | {"said": f"{facts['steps']} steps, {losses}{held}{less}"}
