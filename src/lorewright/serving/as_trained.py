"""What answers without a server, and how it is asked: as it was trained, where the command does not say more."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import yaml

from lorewright.data.formats import template_settings
from lorewright.errors import LorewrightError
from lorewright.manifest import RECORD, digest, read_json
from lorewright.plan import IN_NF4, Paths, Plan, model_part
from lorewright.progress import Console, shown
from lorewright.recipe import Recipe, split_revision
from lorewright.serving.presets import families, preset_of
from lorewright.serving.vllm import left_open
from lorewright.training.ladder_record import trained_model

SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
WEIGHTS = "adapter_model.safetensors"


class RunLike(Protocol):
    """What is needed of a run."""

    @property
    def recipe(self) -> Recipe: ...

    @property
    def console(self) -> Console: ...

    @property
    def plan(self) -> Plan: ...

    @property
    def paths(self) -> Paths: ...

    @property
    def accelerator(self) -> str: ...

    def tool_environment(self, name: str, extra: Mapping[str, str] | None = None) -> dict[str, str]: ...


@dataclass(frozen=True)
class Wishes:
    """What the command says. adapter: a folder instead of the newest training's. None: as the recipe has it."""

    adapter: Path | None = None
    base_only: bool = False
    four_bit: bool | None = None
    thinking: bool | str | None = None
    system: str | None = None
    sampling: Mapping[str, float] = field(default_factory=dict)
    max_tokens: int = 512
    seed: int = 0


@dataclass(frozen=True)
class Asked:
    """adapter: its folder, "" for none. settings: plain values that an answer depends on, besides its prompt.

    stored: the base model's folder in NF4; "" where it is loaded from the original.
    """

    adapter: str
    settings: Mapping[str, Any]
    stored: str = ""


def as_trained(run: RunLike, wishes: Wishes) -> Asked:
    """Raises LorewrightError: nothing trained yet, no adapter there, thinking that the family cannot do."""
    recipe = run.recipe
    newest = _newest(run)
    adapter = _adapter(run, wishes, newest)
    form = _form(recipe)
    trained = wishes.adapter.parent if wishes.adapter else newest
    model = trained_model(trained, recipe.base_model) if adapter and trained else recipe.base_model
    name, revision = split_revision(model)
    axolotl = recipe.axolotl or {}
    wanted = bool(axolotl.get("load_in_4bit")) and run.accelerator == "cuda"
    sampling, told = _how(run, wishes)
    settings = {
        "base_model": name, "revision": revision, "adapter": _digest_of(adapter) if adapter else "", "form": form,
        "template": Path(recipe.chat_template).read_text(encoding="utf-8") if recipe.chat_template else None,
        "system": "" if form == "text" else _system(run, wishes, trained), "template_settings": told, "sampling": sampling,
        "max_tokens": wishes.max_tokens, "seed": wishes.seed, "four_bit": wanted if wishes.four_bit is None else wishes.four_bit,
        "trust_remote_code": bool(axolotl.get("trust_remote_code")),
    }  # fmt: skip
    return Asked(str(adapter) if adapter else "", settings, _stored(run, model) if settings["four_bit"] else "")


def _stored(run: RunLike, model: str) -> str:
    """The base model as it was converted for its training; "" where it was not, or is gone."""
    if not run.recipe.convert or model != run.recipe.base_model:
        return ""
    folder = run.paths.latest(run.plan.step("convert")).resolve() / IN_NF4
    return str(folder) if folder.is_dir() else ""


def _newest(run: RunLike) -> Path | None:
    """The folder of the recipe's newest finished training."""
    if run.recipe.axolotl is None:
        return None
    latest = run.paths.latest(run.plan.step("train"))
    return latest.resolve() if (latest / RECORD).exists() else None


def _adapter(run: RunLike, wishes: Wishes, newest: Path | None) -> Path | None:
    if wishes.base_only or (run.recipe.axolotl is None and not wishes.adapter):
        return None
    if wishes.adapter:
        missing = [name for name in ("adapter_config.json", WEIGHTS) if not (wishes.adapter / name).exists()]
        if missing:
            remedy = "name the folder that training left: runs/<recipe>/latest/train/adapter"
            raise LorewrightError(f"is no adapter's folder: it lacks {', '.join(missing)}", where=str(wishes.adapter), remedy=remedy)
        return wishes.adapter.resolve()
    if newest is None:
        remedy = f"./lorewright run {shown(run.recipe.file)}, or --base-only, or --adapter FOLDER"
        raise LorewrightError("nothing has been trained yet", where=str(run.recipe.file), remedy=remedy)
    _check_unchanged(run, newest)
    return newest / "adapter"


def _check_unchanged(run: RunLike, newest: Path) -> None:
    """An adapter fits its own base model only; other changes since are said."""
    part = read_json(newest / RECORD)["part"]
    if part["model"] != model_part(run.recipe):
        remedy = f"./lorewright run {shown(run.recipe.file)} trains the recipe's, --base-only leaves the adapter out"
        raise LorewrightError(f"the newest training is of {part['model']['base_model'] or 'a folder'}", where=str(newest), remedy=remedy)
    if digest(part) != digest(run.plan.step("train").part):
        made = time.strftime("%H:%M on %d %b", time.localtime((newest / RECORD).stat().st_mtime))
        run.console.stage("infer", f"the recipe has changed since its training of {made}, whose adapter is used")


def _digest_of(adapter: Path) -> str:
    with open(adapter / WEIGHTS, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _form(recipe: Recipe) -> str:
    """chat: the template around system prompt and prompt. pairs: without a template the two as plain text. text: the prompt alone."""
    data = recipe.data
    if data and data.format == "sections" and data.sections.examples == "text":
        return "text"
    return "pairs" if data and data.format in ("pairs", "charts") else "chat"


def _system(run: RunLike, wishes: Wishes, trained: Path | None) -> str:
    """The system prompt of the training set that the adapter was trained on, else of the newest set, else the recipe's own."""
    data = run.recipe.data
    if wishes.system is not None or not data:
        return wishes.system or ""
    places = [*_sets(trained), run.paths.latest(run.plan.step("prepare"))]
    known = next((style for place in places if (style := read_json(place / "style.json"))), None)
    if known:
        return str(known["system_prompt"])
    if data.system_prompt == "auto" and _form(run.recipe) == "chat":
        run.console.stage("infer", "there is no training set yet whose system prompt could be used; --system-prompt TEXT gives one")
    return "" if data.system_prompt == "auto" else data.system_prompt


def _sets(trained: Path | None) -> list[Path]:
    """The folder of the set that a training has read, by its axolotl.yaml."""
    file = trained / "axolotl.yaml" if trained else None
    if not file or not file.exists():
        return []
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [(file.parent / entry["path"]).parent for entry in config.get("datasets") or ()]


def _how(run: RunLike, wishes: Wishes) -> tuple[dict[str, Any], dict[str, Any]]:
    """(sampling, variables of the chat template): the command's over the recipe's over the family's; thinking as trained unless said."""
    recipe = run.recipe
    kept = dict(template_settings(recipe.data)) if recipe.data else {}
    kept |= (recipe.axolotl or {}).get("chat_template_kwargs") or {}
    asked = replace(recipe, serve=replace(recipe.serve, thinking=_thinking(recipe, wishes, kept)))
    sampling, told = left_open(asked)
    effort = preset_of(asked).effort
    unused = sorted(set(sampling) - set(SAMPLING))
    if unused:
        run.console.stage("infer", f"not used here: {', '.join(unused)} of vllm.override_generation_config")
    sampling = {name: value for name, value in sampling.items() if name in SAMPLING}
    return sampling | dict(wishes.sampling), kept | told | ({"reasoning_effort": effort} if effort else {})


def _thinking(recipe: Recipe, wishes: Wishes, kept: Mapping[str, Any]) -> bool | str | None:
    if wishes.thinking is not None:
        return wishes.thinking
    able = families().get(preset_of(recipe).family, {}).get("thinking", {})
    trained = kept.get(able["switch"]) if "switch" in able else None
    return trained if recipe.serve.thinking is None else recipe.serve.thinking
