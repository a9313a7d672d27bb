"""A forecast in lines for a terminal, and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lorewright.progress import said_seconds, shown
from lorewright.training.forecast.advice import Change
from lorewright.training.forecast.asked import Answer
from lorewright.training.forecast.calibration import store
from lorewright.training.forecast.memory import CONTEXT, GIB, PARTS, Peak
from lorewright.training.forecast.predict import Forecast

MARK = {"fits": "fits", "tight": "tight, within the forecast's own error", "does not fit": "does not fit"}


def lines(answer: Answer) -> Iterator[str]:
    """What a person reads before a training."""
    found = answer.now
    gpu, shape = found.gpu, found.model.shape
    card = f"{found.devices} × {gpu.name}" if found.devices > 1 else gpu.name
    yield f"training on {card}: {MARK[found.verdict]}, {_gib(found.needed)} of {_gib(gpu.memory)}; about {said_seconds(found.seconds)}"
    yield _row("card", f"{gpu.bandwidth / 1e9:,.0f} GB/s, {gpu.rate / 1e12:,.4g} TFLOP/s in bf16, {gpu.reached:.0%} of it reached")
    yield _row("model", f"{_number(shape.parameters)} parameters, {_number(found.trained)} trained; sizes from {found.model.where}")
    yield _row("set", f"{found.lengths.samples:,} examples, {found.lengths.tokens:,} tokens; {found.lengths.said}")
    yield from _memory(found)
    yield from _time(found)
    yield from _machine(found)
    yield _row("basis", _basis(found))
    yield from _advice(answer.free, answer.steps, answer.left)


def _memory(found: Forecast) -> Iterator[str]:
    """A line for every phase, its parts in columns; the fullest is marked."""
    names = [name for name in PARTS if any(peak.parts[name] >= 0.005 * GIB for peak in found.phases)]
    yield _row("memory", f"{'GiB':<12}" + "".join(f"{name:>12}" for name in names) + f"{'together':>12}")
    for peak in found.phases:
        mark = "  <- the most" if peak is found.peak else ""
        sizes = "".join(f"{peak.parts[name] / GIB:>12.2f}" for name in names)
        yield _row("", f"{peak.phase:<12}{sizes}{peak.allocated / GIB:>12.2f}{mark}")
    more = [f"CUDA {_gib(CONTEXT)}", f"spare blocks {_gib(found.needed - found.allocated - CONTEXT)}"]
    paged = f"; optimizer {_gib(found.peak.paged)}, paged: on the card while it has room" if found.peak.paged else ""
    corrected = f", corrected {_gib(found.allocated)}" if found.allocated != found.peak.allocated else ""
    yield _row("", f"the most{corrected} and {' and '.join(more)} make {_gib(found.needed)}{paged}")
    if found.shared:
        gathered = "; workspace has what is gathered to work on" if "weights" in found.shared else ""
        yield _row("shared", f"{', '.join(found.shared)} by {found.devices} cards{gathered}; the time to pass them around is not counted")


def _time(found: Forecast) -> Iterator[str]:
    parts = {"training": found.training_seconds, "evaluations": found.evaluating_seconds, "loading": found.time.loading}
    times = ", ".join(f"{name} {said_seconds(seconds)}" for name, seconds in parts.items() if seconds >= 1)
    bound = "" if found.time.card_bound else "; the processor is what it waits for: a larger micro_batch_size is faster"
    rate = f"{found.tokens_per_second:,.0f} tokens a second{bound}"
    yield _row("time", f"{times}; {found.time.steps:,} steps, {found.time.tokens:,} tokens, {rate}")


def _machine(found: Forecast) -> Iterator[str]:
    need = found.resources
    parts = {"model": need.files, "checkpoints": need.checkpoints, "adapter": need.adapter, "merged model": need.merged}
    disk = ", ".join(f"{name} {_gb(size)}" for name, size in parts.items() if size)
    yield _row("machine", f"{_gib(need.memory)} of memory; {_gb(need.disk)} of disk: {disk}")


def _basis(found: Forecast) -> str:
    known = found.correction
    if found.probed:
        return "measured in a few real steps on this machine; the parts are computed"
    if not known.trainings:
        return "computed; nothing has been trained on this kind of card yet"
    factors = f"memory × {known.memory:.2f}, time × {known.time:.2f}"
    count = f"{known.trainings} training{'s' if known.trainings > 1 else ''}"
    return f"computed, and corrected by {count} on this kind of card ({factors}; {shown(store())})"


def _advice(free: Sequence[Change], steps: Sequence[Change], left: Sequence[str]) -> Iterator[str]:
    for change in free:
        yield _row("better", f"{change.said}; then {_then(change)}; the result stays the same")
    if steps:
        yield _row("change", "the steps of train.on_out_of_memory, in its order; training takes them by itself:")
    for change in steps:
        yield _row("", f"{change.step}: {change.said}; then {_then(change)}")
    if left:
        yield _row("", f"train.on_out_of_memory has no more that helps ({'; '.join(left)})")


def _then(change: Change) -> str:
    return f"{_gib(change.then.needed)}, {change.then.verdict}, {said_seconds(change.then.seconds)}"


def _row(name: str, text: str) -> str:
    return f"  {name:<8} {text}"


def _gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB"


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"


def _number(number: int) -> str:
    return f"{number / 1e9:.2f} billion" if number >= 1e9 else f"{number / 1e6:.1f} million"


def as_json(answer: Answer) -> dict[str, Any]:
    """Bytes, seconds and counts under plain names."""
    found = answer.now
    need, known = found.resources, found.correction
    return {
        "gpu": {"name": found.gpu.name, "memory": found.gpu.memory, "devices": found.devices},
        "verdict": found.verdict,
        "model": {"parameters": found.model.shape.parameters, "trained": found.trained, "from": found.model.where},
        "memory": {
            "needed": round(found.needed), "allocated": round(found.allocated), "phase": found.peak.phase, "shared": list(found.shared),
            "phases": {peak.phase: _peak(peak) for peak in found.phases},
        },
        "set": {"examples": found.lengths.samples, "tokens": found.lengths.tokens, "measured": found.lengths.measured},
        "time": {
            "seconds": round(found.seconds), "training": round(found.training_seconds), "evaluations": round(found.evaluating_seconds),
            "loading": round(found.time.loading), "steps": found.time.steps, "tokens": found.time.tokens,
            "tokens_per_second": round(found.tokens_per_second),
        },
        "machine": {
            "memory": round(need.memory), "disk": round(need.disk), "files": round(need.files), "checkpoints": round(need.checkpoints),
            "adapter": round(need.adapter), "merged": round(need.merged),
        },
        "basis": {"probed": found.probed, "trainings": known.trainings, "memory_factor": known.memory, "time_factor": known.time},
        "better": [_change(change) for change in answer.free],
        "changes": [_change(change) for change in answer.steps],
        "left": list(answer.left),
    }  # fmt: skip


def _peak(peak: Peak) -> dict[str, Any]:
    return {"allocated": round(peak.allocated), "paged": round(peak.paged)} | {name: round(size) for name, size in peak.parts.items()}


def _change(change: Change) -> dict[str, Any]:
    then = change.then
    facts = {"needed": round(then.needed), "verdict": then.verdict, "seconds": round(then.seconds)}
    return {"step": change.step, "keys": dict(change.keys)} | facts
