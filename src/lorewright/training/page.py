"""report.html of a training: what was trained, on how much, how it went, and whether it was worth it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, isfinite
from typing import Any

from lorewright.data.pages import render
from lorewright.data.pages.lines import curves
from lorewright.progress import said_seconds
from lorewright.training.chart import smooth
from lorewright.training.points import Point, curve
from lorewright.training.progress import GIB
from lorewright.training.verdict import Verdict, verdict

Row = tuple[str, str]


@dataclass(frozen=True)
class Trained:
    """All that is told of a training.

    name: of the recipe. base_model: its name with its commit. axolotl: the configuration that was used. record: training.json.
    ledger: what the ledger counted (`training` and `validation`). points: those that the training stands on. kept: the steps of the
    checkpoints that are left. memory: the steps taken for want of memory, in words. predicted: bytes of card memory that the plan
    expected. versions: of the packages.
    """

    name: str
    base_model: str
    axolotl: Mapping[str, Any]
    record: Mapping[str, Any]
    ledger: Mapping[str, Any]
    points: Sequence[Point]
    kept: Sequence[int] = ()
    memory: Sequence[str] = ()
    predicted: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        adapter = self.record.get("adapter_step")
        return verdict(self.losses, self.held, self.kept, adapter if adapter != self.record["steps"] else None)

    @property
    def losses(self) -> list[tuple[float, float]]:
        return curve(self.points, "loss", "step")

    @property
    def held(self) -> list[tuple[float, float]]:
        return [(step, loss) for step, loss in curve(self.points, "eval_loss", "step") if isfinite(loss)]


def page(trained: Trained, links: Mapping[str, str], next_: Sequence[Row]) -> str:
    """The page. links: `set` leads to the training set's page, `picture` to the curve as a picture. next_: (what for, command)."""
    held, record = trained.held, trained.record
    best = record.get("best_eval_step")
    drawn = curves(trained.losses, smooth(trained.losses), held, "loss over the steps", best)
    return render(
        "training.html", title=f"{trained.name}: the training", name=trained.name, lead=_lead(trained), figures=_figures(trained),
        verdict=trained.verdict, curves=drawn, held=bool(held), evaluated=_evaluated(trained),
        trained=method(trained), took=took(trained), memory=trained.memory, links=links, commands=next_, versions=trained.versions,
    )  # fmt: skip


def _lead(trained: Trained) -> str:
    side, epochs = trained.ledger.get("training", {}), float(trained.axolotl.get("num_epochs") or 1)
    read = f", read {epochs:g} times" if epochs > 1 and not trained.axolotl.get("max_steps") else ""
    return (
        f"{trained.base_model.partition('@')[0]}, trained on {side.get('samples', 0):,} examples, {side.get('tokens', 0):,} tokens{read}."
    )


def _figures(trained: Trained) -> list[tuple[str, str]]:
    """The large numbers: (what, number)."""
    record, losses = trained.record, smooth(trained.losses)
    held, before = record.get("eval_loss"), record.get("first_eval_loss")
    was = f", {before:.3f} before" if before is not None and held != before else ""
    rows = [(f"loss on the held-out text{was}", _loss(held)), ("loss on the trained text", _loss(losses[-1][1] if losses else None))]
    rows += [("steps", f"{record['steps']:,}"), ("time in all", _time(record.get("whole_seconds")))]
    speed, peak, joules = record.get("tokens_per_second"), record.get("peak_vram_bytes"), record.get("energy_joules")
    rows += [
        ("tokens a second", f"{speed:,.0f}" if speed else ""),
        ("of a card's memory at the peak", gib(peak)),
        ("of electricity", energy(joules)),
    ]
    return [(what, number) for what, number in rows if number]


def _evaluated(trained: Trained) -> list[tuple[str, str, str, str]]:
    """(step, loss, perplexity, what else) of each evaluation; of many, the first, the best and the last ones."""
    best, held = trained.record.get("best_eval_step"), trained.held
    shown = held if len(held) <= 12 else [held[0], *(pair for pair in held[1:-8] if pair[0] == best), *held[-8:]]
    rows = []
    for step, loss in shown:
        notes = [word for word, true in (("before the training", step == 0), ("best", step == best)) if true]
        notes += [f"checkpoint-{step:g}"] if step in trained.kept else []
        notes += ["the adapter"] if step == trained.record.get("adapter_step") else []
        rows.append((f"{step:,.0f}", f"{loss:.3f}", f"{perplexity(loss):,.1f}", ", ".join(notes)))
    return rows


def perplexity(loss: float) -> float:
    return exp(min(loss, 700.0))


def method(trained: Trained) -> list[Row]:
    """What was trained, and how: (name, value)."""
    axolotl, record, side = trained.axolotl, trained.record, trained.ledger.get("training", {})
    micro, gathered = int(axolotl.get("micro_batch_size") or 1), int(axolotl.get("gradient_accumulation_steps") or 1)
    cards = max(1, int(record.get("gpus") or 1))
    batch = f"{micro * gathered * cards} examples ({micro} at a time" + (f", {gathered} gathered" if gathered > 1 else "")
    batch += f", on {cards} cards)" if cards > 1 else ")"
    rows = [
        ("base model", trained.base_model), ("method", adapter_said(axolotl)), ("trained parameters", parameters_said(record)),
        ("training set", f"{side.get('samples', 0):,} examples, {side.get('tokens', 0):,} tokens, of which {_share(side)} are trained"),
        ("held out", f"{trained.ledger.get('validation', {}).get('samples', 0):,} examples"),
        ("steps", f"{record['steps']:,}, each of {batch}{_epochs(axolotl)}"),
        ("longest example", f"{int(axolotl.get('sequence_len') or 512):,} tokens"), ("learning rate", rate_said(axolotl)),
        ("optimizer", str(axolotl.get("optimizer") or "")),
    ]  # fmt: skip
    return [(name, value) for name, value in rows if value]


def _epochs(axolotl: Mapping[str, Any]) -> str:
    number = float(axolotl.get("num_epochs") or 1)
    return "" if axolotl.get("max_steps") else f"; {number:g} epoch{'s' if number != 1 else ''}"


def _share(side: Mapping[str, Any]) -> str:
    return f"{side.get('trained_tokens', 0) / max(1, side.get('tokens', 0)):.0%}"


def adapter_said(axolotl: Mapping[str, Any]) -> str:
    """The method in words: kind of adapter, precision of the base, rank, targets."""
    if not axolotl.get("adapter"):
        return "all parameters"
    bits = "on a base in 4 bit" if axolotl.get("load_in_4bit") else "on a base in 8 bit" if axolotl.get("load_in_8bit") else ""
    parts = [str(axolotl["adapter"]).upper().replace("QLORA", "QLoRA").replace("LORA", "LoRA"), bits]
    parts += [f"rank {axolotl['lora_r']}"] if axolotl.get("lora_r") else []
    parts += [f"alpha {axolotl['lora_alpha']}"] if axolotl.get("lora_alpha") else []
    parts += [f"dropout {axolotl['lora_dropout']}"] if axolotl.get("lora_dropout") else []
    targets = axolotl.get("lora_target_modules") or []
    named = targets if isinstance(targets, list) else [targets]
    parts += ["on all linear layers"] if axolotl.get("lora_target_linear") else [f"on {', '.join(map(str, named))}"] if named else []
    return ", ".join(part for part in parts if part)


def parameters_said(record: Mapping[str, Any]) -> str:
    trained, total = record.get("trainable_parameters"), record.get("total_parameters")
    return f"{trained:,} of {total:,} ({trained / total:.2%})" if trained and total else ""


def rate_said(axolotl: Mapping[str, Any]) -> str:
    """Learning rate, its course and its warm-up."""
    warm = axolotl.get("warmup_steps")
    warmed = f", {warm} warm-up steps" if warm else f", {float(axolotl['warmup_ratio']):.0%} warm-up" if axolotl.get("warmup_ratio") else ""
    return f"{axolotl.get('learning_rate', '')}, {axolotl.get('lr_scheduler') or 'cosine'}{warmed}"


def took(trained: Trained) -> list[Row]:
    """What it took: (name, value)."""
    record = trained.record
    cards, joules = record.get("gpus") or 0, record.get("energy_joules")
    rows = [
        ("machine", f"{cards} × {record['device']}" if cards > 1 else str(record["device"])), ("time", _times(trained)),
        ("speed", f"{record['tokens_per_second']:,.0f} tokens/s, padding included" if record.get("tokens_per_second") else ""),
        ("tokens", f"{record['tokens']:,}, padding included" if record.get("tokens") else ""),
        ("card memory", _memory(record, trained.predicted)),
        ("electricity", f"{energy(joules)}, drawn by the card{'s' if cards > 1 else ''}" if joules else ""),
    ]  # fmt: skip
    return [(name, value) for name, value in rows if value]


def _times(trained: Trained) -> str:
    record, why = trained.record, "" if trained.memory else ", for it was cut off"
    parts = [f"{_time(record.get('whole_seconds'))} in all"]
    parts += [f"{_time(record['seconds'])} of them steps"] if record.get("seconds") else []
    parts += [f"{_time(record['evaluation_seconds'])} evaluations"] if record.get("evaluation_seconds") else []
    parts += [f"in {record['attempts']} attempts{why}"] if record.get("attempts", 1) > 1 else []
    return ", ".join(parts)


def _memory(record: Mapping[str, Any], predicted: float | None) -> str:
    peak, reserved = record.get("peak_vram_bytes"), record.get("reserved_vram_bytes")
    if not peak:
        return ""
    off = peak / predicted - 1 if predicted else 0.0
    plan = f"; the plan expected {gib(predicted)} ({off:+.0%})" if predicted else ""
    return f"{gib(peak)} at the peak" + (f", {gib(reserved)} taken from the card" if reserved else "") + plan


def gib(size: float | None) -> str:
    return f"{size / GIB:.2f} GiB" if size else ""


def energy(joules: float | None) -> str:
    if not joules:
        return ""
    hours = joules / 3.6e6
    return f"{hours:.2f} kWh" if hours >= 0.1 else f"{hours * 1000:.1f} Wh"


def _loss(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _time(seconds: float | None) -> str:
    return said_seconds(seconds) if seconds else ""
