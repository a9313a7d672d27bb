"""Whether a run that was made again has come out the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lorewright.history.told import made

LOSSES = ("final_loss", "eval_loss", "best_eval_loss")
TOLERANCE = 0.02  # of a loss: what other cards and other kernels make of the same training
TRAINED = ("train", "merge")
NAMED = 3


@dataclass(frozen=True)
class Check:
    """One thing that was compared. exact: the same bytes. within: good enough. said: in words."""

    stage: str
    exact: bool
    within: bool
    said: str


def checks(old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]], tolerance: float) -> list[Check]:
    """old, new: the records of the stages. tolerance: the share by which a loss may be another one.

    What is computed in whole numbers must be the same bytes; a training may differ where its losses do not.
    """
    found = [_check(stage, old[stage], new.get(stage, {}), tolerance) for stage in old if stage != "merge"]
    trained = next((check for check in found if check.stage == "train"), None)
    if "merge" in old:
        same = made(old["merge"]) is not None and made(old["merge"]) == made(new.get("merge", {}))
        follows = trained is not None and trained.within and not trained.exact
        said = "the same weights, bit for bit" if same else "other weights, as the adapter is another" if follows else "other weights"
        found.append(Check("merge", same, same or follows, said))
    return found


def _check(stage: str, old: Mapping[str, Any], new: Mapping[str, Any], tolerance: float) -> Check:
    if made(old) is not None and made(old) == made(new):
        return Check(stage, True, True, "the same weights, bit for bit" if stage in TRAINED else "the same, byte for byte")
    if stage not in TRAINED:
        return Check(stage, False, False, f"differs: {_other_files(old, new)}")
    figures = [record.get("facts", {}).get("figures", {}) for record in (old, new)]
    said = list(_figures(figures[0], figures[1], tolerance))
    if not said:
        return Check(stage, False, False, "other weights, and no figures to compare")
    return Check(stage, False, all(fits for fits, _ in said), f"other weights; {', '.join(text for _, text in said)}")


def _figures(old: Mapping[str, Any], new: Mapping[str, Any], tolerance: float) -> Iterator[tuple[bool, str]]:
    """(whether it fits, in words) of the steps and each loss that the older run has."""
    if old.get("steps") is not None and old["steps"] != new.get("steps"):
        yield False, f"{old['steps']} → {new.get('steps')} steps"
    for key in LOSSES:
        before, after = old.get(key), new.get(key)
        if before is None:
            continue
        if after is None:
            yield False, f"{key} {before:.4g} → unknown"
            continue
        share = abs(after - before) / abs(before) if before else abs(after - before)
        yield share <= tolerance, f"{key} {before:.4g} → {after:.4g} ({share:.2%} apart, {tolerance:.2%} allowed)"


def _other_files(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    before, after = old.get("outputs", {}), new.get("outputs", {})
    names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more if names else "its files are not kept any more"


def summary(found: Sequence[Check], tolerance: float) -> tuple[bool, str]:
    """(whether the run was reproduced, in words)."""
    failed = [check.stage for check in found if not check.within]
    if failed:
        return False, f"not reproduced: {', '.join(failed)}"
    exactly = all(check.exact for check in found)
    return True, "reproduced, bit for bit" if exactly else f"reproduced, its losses within {tolerance:.2%}"
