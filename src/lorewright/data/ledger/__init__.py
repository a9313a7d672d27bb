"""The training set as Axolotl will see it: counted, judged, shown."""

from __future__ import annotations

from lorewright.data.ledger.counted import Counted, Ledger, count, samples
from lorewright.data.ledger.judged import check
from lorewright.data.ledger.shown import in_terminal

__all__ = ["Counted", "Ledger", "check", "count", "in_terminal", "samples"]
