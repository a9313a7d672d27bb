"""One recipe on one card or on several: how the examples of an optimizer step are shared out. Pure.

Axolotl gives every card `micro_batch_size` x `gradient_accumulation_steps` examples a step, so the batch grows with the cards and the
number of steps shrinks. Here the recipe's numbers mean the whole step, unless `train.keep_batch` is false.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Keys = dict[str, Any]


def whole_step(config: Mapping[str, Any]) -> tuple[int, int]:
    """(micro-batch, accumulation) as a configuration without other cards has them; `batch_size` is the older way to say the second."""
    micro = int(config.get("micro_batch_size") or 1)
    return micro, int(config.get("gradient_accumulation_steps") or int(config.get("batch_size") or micro) // micro) or 1


def fitted(config: Mapping[str, Any], cards: int) -> tuple[Keys, str]:
    """The configuration with an accumulation that so many cards can share evenly, and what was changed, in words; "" for nothing.

    The examples of a step stay; where they cannot be shared out evenly, the nearest number is taken.
    """
    micro, gathered = whole_step(config)
    if cards == 1 or gathered % cards == 0:
        return dict(config), ""
    examples = micro * gathered
    if examples % cards == 0:
        smaller = max(size for size in range(1, micro + 1) if examples % (size * cards) == 0)
        changed = _batch(config, smaller, examples // smaller)
        return changed, f"micro_batch_size {micro} became {smaller}: {cards} cards share the {examples} examples of a step"
    nearest = cards * max(1, round(gathered / cards))
    said = f"a step has {micro * nearest} examples instead of {examples}, which {cards} cards cannot share evenly"
    return _batch(config, micro, nearest), said


def for_each(config: Mapping[str, Any], cards: int) -> Keys:
    """What each card is told, of a configuration that speaks of the whole step."""
    if cards == 1:
        return dict(config)
    whole, _ = fitted(config, cards)
    micro, gathered = whole_step(whole)
    return _batch(whole, micro, gathered // cards)


def step_said(config: Mapping[str, Any], cards: int | str, *, keep: bool) -> str:
    """How many examples a step has, in words. cards: their number, or "all". keep: whether they share them."""
    micro, gathered = whole_step(config)
    examples, several = f"{micro * gathered} ({micro} x {gathered})", isinstance(cards, int) and cards > 1
    if not keep:
        return f"each card takes {examples} examples a step" + (f", {int(cards) * micro * gathered} together" if several else "")
    uneven = fitted(config, int(cards))[1] if several and micro * gathered % int(cards) else ""
    return uneven or f"a step has {examples} examples, {f'shared by {cards} cards' if several else 'on one card or shared by several'}"


def _batch(config: Mapping[str, Any], micro: int, gathered: int) -> Keys:
    kept = {key: value for key, value in config.items() if key != "batch_size"}  # Axolotl takes one of the two
    return kept | {"micro_batch_size": micro, "gradient_accumulation_steps": gathered}
