"""What to change where a training does not fit: tried in the forecast, in the order in which the recipe's own list would be taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.recipe import Rung
from lorewright.training.forecast.memory import highest
from lorewright.training.forecast.predict import Forecast
from lorewright.training.ladder import Situation, Taken, applied, next_step

Forecaster = Callable[[Mapping[str, Any]], Forecast]
LIGER = "axolotl.integrations.liger.LigerPlugin"
# Families of models for which Liger has a fused loss (liger_kernel 0.8, transformers/monkey_patch.py).
LIGER_KINDS = ("llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe", "gemma", "gemma2", "gemma3", "gemma3_text", "phi3", "granite",
               "olmo2", "smollm3", "glm4", "gpt_oss")  # fmt: skip
MOST = 40  # steps: more than any list has to give
PHASES = {"loading": "loading", "evaluating": "evaluating"}  # the loss is part of training


@dataclass(frozen=True)
class Change:
    """step: of the ladder, or `free` for one that leaves the result as it is. keys: to set. said: in words. then: the forecast with it and
    all before it."""

    step: str
    keys: Mapping[str, Any]
    said: str
    then: Forecast


def free_changes(now: Forecast, again: Forecaster) -> list[Change]:
    """What costs nothing and saves memory where the peak is. Each is tried upon the one before."""
    found: list[Change] = []
    for wanted in (_fused_loss, _smaller_evaluation, _no_upcast):
        keys = wanted(now)
        if keys:
            then = again({**now.config, **keys})
            if then.needed < 0.97 * now.needed:
                found.append(Change("free", keys, _said(keys), then))
                now = then
    return found


def _fused_loss(now: Forecast) -> dict[str, Any]:
    if now.settings.loss != "plain" or now.model.shape.kind not in LIGER_KINDS or now.peak.phase not in ("loss", "evaluating"):
        return {}
    plugins = [*(now.config.get("plugins") or ()), LIGER]
    return {"liger_fused_linear_cross_entropy": True, "plugins": list(dict.fromkeys(plugins))}


def _smaller_evaluation(now: Forecast) -> dict[str, Any]:
    """The largest batch whose evaluation stays below the training's peak, or one example."""
    evaluation = next((peak for peak in now.phases if peak.phase == "evaluating"), None)
    if not evaluation or now.peak.phase != "evaluating" or now.settings.evaluated < 2:
        return {}
    others = highest([peak for peak in now.phases if peak.phase != "evaluating"]).allocated
    standing = evaluation.allocated - evaluation.parts["logits"] - evaluation.parts["activations"]
    each = (evaluation.allocated - standing) / now.settings.evaluated
    return {"eval_batch_size": max(1, min(now.settings.evaluated - 1, int((others - standing) // each)))}


def _no_upcast(now: Forecast) -> dict[str, Any]:
    """Axolotl need not turn the embedding into float32 and back while it loads a model in 4 bit."""
    return {"embeddings_skip_upcast": True} if now.peak.phase == "loading" and now.settings.bits == 4 and now.settings.upcast else {}


def changes(now: Forecast, rungs: Sequence[Rung], again: Forecaster) -> tuple[list[Change], list[str]]:
    """The recipe's own steps until it may fit, or until there are no more; then why none of them helps further.

    Of a training that is tight only the first is told, which is what it would do if it did not fit after all.
    """
    found: list[Change] = []
    taken: tuple[Taken, ...] = ()
    asked, most = now.config, {"fits": 0, "tight": 1}.get(now.verdict, MOST)
    while len(found) < most and (not found or now.verdict == "does not fit"):
        step = next_step(Situation(applied(asked, taken), PHASES.get(now.peak.phase, "training"), taken), rungs, 0)
        if not isinstance(step, Taken):
            return found, step
        taken = (*taken, step)
        try:
            now = again(applied(asked, taken))
        except LorewrightError as problem:  # a fallback model whose size is not known
            return found, [f"{step.step}: {problem.what}"]
        found.append(Change(step.step, step.after, step.said, now))
    return found, []


def _said(keys: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {str(value).lower() if isinstance(value, bool) else value}" for key, value in keys.items())
