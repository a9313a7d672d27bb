"""What must not go into a training: samples that Axolotl would drop unseen, and masks that hide the answer."""

from __future__ import annotations

from collections import Counter

from lorewright.data.ledger.counted import Counted, Ledger
from lorewright.errors import LorewrightError


def check(ledger: Ledger, most_dropped: float, where: str) -> None:
    """Raises LorewrightError, with the samples' lines and the remedy, for a set that would waste the training.

    most_dropped: the share of the samples that may be dropped as too long, 0 to 1. where: the file that was judged.
    """
    for name, side in (("training", ledger.training), ("validation", ledger.validation)):
        if side.faults:
            fault, times = Counter(fault for _, _, fault in side.faults).most_common(1)[0]
            lines = [f"{line} ({document})" if document else str(line) for line, document, found in side.faults if found == fault]
            said = f"{fault} in {times} of {side.samples} {name} samples: line {_few(lines, times)}"
            raise LorewrightError(said, where=where, remedy=_remedy(fault))
        if side.dropped > most_dropped * side.samples:
            _refuse_dropped(name, side, most_dropped, where)
    if ledger.refused:
        raise LorewrightError(f"Axolotl refuses the set: {ledger.refused}", where=where, remedy="the log of the ledger tells the rest")


def _refuse_dropped(name: str, side: Counted, most: float, where: str) -> None:
    lines = [f"{line} ({document}, {length} tokens)" for line, document, fate, length in side.lost if fate == "dropped"]
    raise LorewrightError(
        f"Axolotl drops {side.dropped} of {side.samples} {name} samples ({side.dropped / side.samples:.1%}; {most:.1%} are allowed), "
        f"longer than axolotl.sequence_len: line {_few(lines, side.dropped)}",
        where=where,
        remedy=f"raise axolotl.sequence_len (the longest has {side.longest} tokens), lower data.chunk.max or data.pairs.max_tokens, "
        "or set axolotl.excess_length_strategy to truncate",
    )


def _few(lines: list[str], count: int) -> str:
    return ", ".join(lines[:3]) + (f" and {count - 3} more" if count > 3 else "")


def _remedy(fault: str) -> str:
    look = "look at one with prepare --show"
    if fault == "no token is trained":
        return f"{look}; a long prompt may leave no room for the answer (axolotl.sequence_len), or the answer is empty"
    return f"{look}; give the recipe a chat_template whose answers stand as they are"
