"""The verdict on one side in words: whether it holds, in which step it broke, the likely cause and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lorewright.models.parity.compare import Verdict
from lorewright.models.parity.ends import End

LEAST, MOST = 0.75, 1.33  # shares of the adapter that pass
UNTOUCHED, ALIKE, WHOLE = 0.02, 0.8, 0.1
SIGMA = 4.0  # standard errors that a share must be off by
MOVED = 0.002  # nats: ten times what bf16 does by itself; of an adapter that does less no share can be told
STEPS = {"merged": "merge", "served": "serve", "exported": "export"}
AGAIN = {
    "merged": "merge again with --force",
    "served": "stop vLLM and serve again; ./lorewright status says from which folder it serves",
    "exported": "export again with --force",
}


@dataclass(frozen=True)
class Side:
    """name: merged, served or exported. verdict: against the side before it. label: which of several it is."""

    name: str
    verdict: Verdict
    end: End
    label: str = ""

    @property
    def held(self) -> bool:
        return self.fault is None

    @property
    def fault(self) -> Fault | None:
        """The first of the causes that fits; None where all is as it should be."""
        verdict = self.verdict
        if verdict.differ:
            return _template(self)
        if not self.end.held:
            return _end(self)
        if verdict.near and not _off(verdict):
            return None
        return _weights(self)

    def plain(self) -> dict[str, Any]:
        """As step.json and the manifest keep it."""
        found = {key: value for key, value in asdict(self.verdict).items() if value is not None and key != "differ"}
        fault = self.fault
        return found | {
            "held": fault is None, "differ": [asdict(difference) for difference in self.verdict.differ], "end": asdict(self.end),
            **({"step": fault.step, "cause": fault.cause, "said": fault.said} if fault else {}),
        }  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """step: the stage in which it broke. cause: template, end token, untouched base, scale, rounding or weights."""

    step: str
    cause: str
    said: str
    remedy: str


def _template(side: Side) -> Fault:
    first, verdict = side.verdict.differ[0], side.verdict
    read = "the merged model's tokenizer" if side.name == "merged" else "vLLM" if side.name == "served" else "the exported model"
    said = f"{read} reads {len(verdict.differ)} of {verdict.prompts} prompts otherwise: {first.id} from token {first.at + 1} on"
    said += f", {first.lengths[1]} tokens instead of {first.lengths[0]}"
    if not first.lengths[1]:
        said = f"{read} has no chat template, or one that refuses {len(verdict.differ)} of {verdict.prompts} prompts"
    what = {
        "merged": "compare chat_template.jinja and tokenizer.json of adapter and merged model; merge again with --force",
        "served": "set the template as chat_template in the recipe, so that training, merge and vLLM have the same",
    }
    return _fault(side, "template", said, what.get(side.name, AGAIN[side.name]))


def _end(side: Side) -> Fault:
    token = f"{side.end.text} ({side.end.token})"
    known = ", ".join(map(str, side.end.known)) or "nothing"
    said = f"answers were trained to end with {token}, and the model ends at {known}"
    if side.end.stops is False:
        said = f"answers were trained to end with {token}, and vLLM writes on after it"
    remedy = "put it into eos_token_id of the merged model's generation_config.json, and take vllm.generation_config away"
    return _fault(side, "end token", said, remedy if side.name == "served" else AGAIN[side.name])


def _weights(side: Side) -> Fault:
    verdict, share = side.verdict, side.verdict.share
    far = f"{figure(verdict.kl)} nats from what was trained ({verdict.bound.kl:g} allowed), {percent(verdict.top1)} likeliest words equal"
    if verdict.faults:
        return _fault(side, "weights", f"no numbers come out at {verdict.faults} of {verdict.positions} positions", AGAIN[side.name])
    if share and _off(verdict) and share.left < UNTOUCHED * share.moved:
        said = f"it is the base model: {percent(share.there)} of what the adapter changes is there; {far}"
        return _fault(side, "untouched base", said, AGAIN[side.name])
    if share and _off(verdict) and share.like >= ALIKE:
        said = f"the adapter is there {percent(share.there)}: another lora_alpha, rank or rslora than it was trained with; {far}"
        return _fault(side, "scale", said, "compare lora_alpha, r and use_rslora of adapter_config.json with axolotl.yaml")
    if share and share.like >= ALIKE and abs(share.there - 1) <= WHOLE:
        remedy = f"raise parity.{side.name} where you quantise on purpose"
        return _fault(side, "rounding", f"the adapter is there, and all else is rounded or quantised: {far}", remedy)
    return _fault(side, "weights", f"weights are damaged, transposed or another training's: {far}", AGAIN[side.name])


def _fault(side: Side, cause: str, said: str, remedy: str) -> Fault:
    return Fault(STEPS[side.name], cause, said, remedy)


def _off(verdict: Verdict) -> bool:
    """Whether too little or too much of the adapter is there, beyond what the measurement leaves open."""
    share = verdict.share
    if not share or share.moved < MOVED:
        return False
    return share.there + SIGMA * share.error < LEAST or share.there - SIGMA * share.error > MOST


def figure(value: float | None) -> str:
    return "?" if value is None else f"{value:.5f}" if value < 0.001 else f"{value:.4f}" if value < 1 else f"{value:.2f}"


def percent(value: float | None) -> str:
    return "?" if value is None else f"{value:.1%}" if 0 < value < 1 and round(value, 3) not in (0, 1) else f"{value:.0%}"


HEAD = ("", "prompts alike", "end", "divergence", "same first", "adapter", "")


def rows(sides: Mapping[str, Side]) -> list[tuple[str, ...]]:
    """A table for people, its head first."""
    return [HEAD, *map(_row, sides.values())]


def _row(side: Side) -> tuple[str, ...]:
    verdict, end, fault = side.verdict, side.end, side.fault
    return (
        side.label or side.name, f"{verdict.prompts - len(verdict.differ)} of {verdict.prompts}",
        "none trained" if end.token < 0 else end.text if end.held else f"not {end.text}",
        f"{figure(verdict.kl)} (to {verdict.bound.kl:g})", f"{percent(verdict.top1)} (from {verdict.bound.top1:.0%})",
        percent(verdict.share.there) if verdict.share else "?", f"broken: {fault.cause}" if fault else "holds",
    )  # fmt: skip


def lines(sides: Mapping[str, Side]) -> list[str]:
    """The table in columns."""
    table = rows(sides)
    widths = [max(len(row[column]) for row in table) for column in range(len(HEAD))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
