"""DeepSpeed's checkpoints: each card keeps its share of the optimizer, and only as many cards can take it up again."""

from __future__ import annotations

from pathlib import Path

from lorewright.errors import LorewrightError


def check_shares(checkpoint: Path, cards: int) -> None:
    """Raises LorewrightError where another number of cards has made the checkpoint. One without DeepSpeed's folder fits any."""
    shares = len(list(checkpoint.glob("global_step*/*_optim_states.pt")))
    if shares not in (0, cards):
        raise LorewrightError(
            f"the checkpoint was made by {shares} cards, and DeepSpeed goes on with as many only; there are {cards}",
            where=str(checkpoint),
            remedy=f"set train.devices to {shares}, or begin anew with --force",
        )
