"""Whether a training that is cut off can go on with these cards: its steps must stay the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.manifest import read_json, write_json
from lorewright.training.several import whole_step

RECORD = "cards.json"


def check_shares(checkpoint: Path, cards: int) -> None:
    """DeepSpeed keeps the optimizer in a share for each card, and only as many cards can take it up again.

    Raises LorewrightError where another number of cards has made the checkpoint. One without DeepSpeed's folder fits any.
    """
    shares = len(list(checkpoint.glob("global_step*/*_optim_states.pt")))
    if shares not in (0, cards):
        raise LorewrightError(
            f"the checkpoint was made by {shares} cards, and DeepSpeed goes on with as many only; there are {cards}",
            where=str(checkpoint),
            remedy=f"set train.devices to {shares}, or begin anew with --force",
        )


def note_steps(work: Path, config: Mapping[str, Any], cards: int) -> None:
    """Keeps what the steps are made of. config: what each of the cards is told."""
    write_json(work / RECORD, _steps(config, cards))


def check_steps(work: Path, config: Mapping[str, Any], cards: int) -> None:
    """Raises LorewrightError where a step has other examples than those before it: the counted steps would be others."""
    before, now = read_json(work / RECORD), _steps(config, cards)
    if not before:
        return
    moved = [key for key in ("cards", "micro_batch_size") if before[key] != now[key]]
    if before["examples"] != now["examples"] or (config.get("sample_packing") and moved):
        why = f"{now['cards']} with {now['examples']}" + (", and packed samples lie otherwise" if config.get("sample_packing") else "")
        raise LorewrightError(
            f"this training was begun on {before['cards']} cards with {before['examples']} examples a step; now it would be {why}",
            where=str(work),
            remedy=f"set train.devices to {before['cards']}, or begin anew with --force",
        )


def _steps(config: Mapping[str, Any], cards: int) -> dict[str, int]:
    micro, gathered = whole_step(config)
    return {"cards": cards, "micro_batch_size": micro, "examples": micro * gathered * cards}
