"""A plugin of Axolotl's for its merge: layers are not filled with random numbers which the next line replaces.

For each module Axolotl's merge makes a linear layer of the base's size and gives it the base's weight. What PyTorch draws for it before
took 4 of the 41 seconds of a profiled merge at the 1B shape (benchmarks/results/merge_memory.md).
"""

from typing import Any

import torch
from axolotl.integrations.base import BasePlugin


class WithoutDrawing(BasePlugin):  # type: ignore[misc]
    """Named under `plugins` in the merge's axolotl.yaml."""

    def register(self, cfg: Any) -> None:
        """Called when the configuration has been read."""
        torch.nn.Linear.reset_parameters = lambda self: None
