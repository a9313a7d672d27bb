"""What a smoke run has shown: that every stage ran, how long each took, and what the whole would take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from lorewright.manifest import RECORD, read_json
from lorewright.plan import Paths, Plan
from lorewright.progress import said_seconds
from lorewright.smoke.small import Small
from lorewright.training import points as logged
from lorewright.training.estimate import steps
from lorewright.training.pace import intervals, step_seconds
from lorewright.training.points import Point
from lorewright.training.several import for_each


@dataclass(frozen=True)
class Took:
    """One stage. facts: what its record says. earlier: unchanged since an earlier smoke run, which made it."""

    seconds: float
    facts: Mapping[str, Any]
    earlier: bool = False


def took(plan: Plan, paths: Paths, record: Mapping[str, Any]) -> dict[str, Took]:
    """Every stage that ran, now or earlier. record: the run's manifest. A skipped question has had its servers' answer earlier."""
    found: dict[str, Took] = {}
    for step in plan.steps:
        now = record["steps"].get(step.name, {})
        kept = read_json(paths.latest(step) / RECORD) if now.get("action") == "skipped" else None
        if kept:
            found[step.name] = Took(kept["seconds"], kept["facts"], earlier=True)
        elif now.get("action") in ("made", "started", "found running"):
            found[step.name] = Took(now.get("seconds", 0.0), now.get("facts", {}))
    if "query" in found and found["query"].earlier:
        found |= {step.name: Took(0.0, {}, earlier=True) for step in plan.steps if step.kind == "service" and step.name not in found}
    return found


def closing(small: Small, plan: Plan, paths: Paths, record: Mapping[str, Any]) -> Iterator[str]:
    """The last lines of a smoke run."""
    found = took(plan, paths, record)
    missing = [step.name for step in plan.steps if step.name not in found and not step.rides]
    times = [f"{name} {said_seconds(one.seconds)}" for name, one in found.items() if not one.earlier]
    head = f"ran, but not {', '.join(missing)}" if missing else "every stage ran"
    total = said_seconds(sum(one.seconds for one in found.values() if not one.earlier))
    yield f"{head}: {', '.join([*times, f'{total} in all'])}" if times else head
    earlier = [name for name, one in found.items() if one.earlier]
    if earlier:
        yield f"unchanged since an earlier smoke run: {', '.join(earlier)}; --force makes them again"
    if {"prepare", "ledger", "train"} <= set(found):
        yield whole_said(small, found, paths.latest(plan.step("train")))


def whole_said(small: Small, found: Mapping[str, Took], folder: Path) -> str:
    """The whole run in words. folder: of the small training, which keeps its points."""
    number, seconds = whole_training(small, found, logged.read(folder / "points.jsonl"))
    rest = {name: times for name, times in (("sources", small.times), ("lore", small.lore.times)) if times > 1.05}
    more = " and ".join(f"{times:,.0f} times the {name}" if times >= 2 else f"more {name}" for name, times in rest.items())
    read = f"; {more} to read" if more else ""
    if seconds is None:
        return f"the whole run: about {number:,} training steps{read}"
    return f"the whole run: about {number:,} training steps in {said_seconds(seconds)}, by the speed of these{read}"


def whole_training(small: Small, found: Mapping[str, Took], points: list[Point]) -> tuple[int, float | None]:
    """(optimizer steps, seconds or None) of the whole training by what the small one showed.

    The first step is left out of the speed: it prepares kernels. A step of the whole takes as many micro-batches as a card gathers.
    """
    prepared, counted, trained = (found[name].facts for name in ("prepare", "ledger", "train"))
    axolotl, data = small.whole.axolotl or {}, small.whole.data
    drawn = prepared["training"] + prepared["validation"]
    examples = prepared.get("examples", drawn) * small.times
    share = min(examples, (data and data.max_samples) or examples) / max(1, drawn)
    samples, tokens = ceil(counted["samples"] * share), ceil(counted["tokens"] * share)
    each_card = for_each(axolotl, small.cards) if small.whole.train.keep_batch else axolotl
    number = steps(each_card, samples, tokens, packed=bool(axolotl.get("sample_packing")), devices=small.cards)
    each = step_seconds(intervals(points))
    if each is None:
        return number, None
    held = [point["eval_runtime"] for point in points if "eval_runtime" in point]
    begun = max(0.0, found["train"].seconds - each * trained["steps"] - sum(held))
    gathered = int(each_card.get("gradient_accumulation_steps") or 1)
    return number, begun + number * each * gathered + evaluations(axolotl, number) * share * (held[-1] if held else 0.0)


def evaluations(axolotl: Mapping[str, Any], number: int) -> float:
    """How often the whole training looks at what is held out."""
    if axolotl.get("evals_per_epoch"):
        return float(axolotl["evals_per_epoch"]) * float(axolotl.get("num_epochs") or 1)
    every = float(axolotl.get("eval_steps") or 0)
    return 0.0 if not every else 1 / every if every < 1 else number // every
