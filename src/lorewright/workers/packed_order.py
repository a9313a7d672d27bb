"""A plugin of Axolotl's: a packed training that goes on in the middle of an epoch sees the samples that it has not seen yet.

accelerate skips what was done through a SkipBatchSampler, which does not hand the epoch on to the sampler that packs. That one then keeps
the windows that it had packed to count them, in an order of its own: some samples come twice and others not at all. It is put beside
axolotl.yaml, where the trainer's Python finds it.
"""

from typing import Any

from accelerate.data_loader import SkipBatchSampler
from axolotl.integrations.base import BasePlugin


def set_epoch(self: Any, epoch: int) -> None:
    """For SkipBatchSampler: the sampler below packs anew, as it does at the beginning of every epoch."""
    if hasattr(self.batch_sampler, "set_epoch"):
        self.batch_sampler.set_epoch(epoch)


class SameOrder(BasePlugin):  # type: ignore[misc]
    """Named under `plugins` in axolotl.yaml where samples are packed."""

    def register(self, cfg: dict[str, Any]) -> None:
        SkipBatchSampler.set_epoch = set_epoch
