"""A plugin of Axolotl's: `seed` also decides the adapter's first weights, which Axolotl draws before it has set the seed.

Without it two trainings of one recipe end with different adapters.
"""

from typing import Any

from axolotl.integrations.base import BasePlugin
from transformers import set_seed


class SameStart(BasePlugin):  # type: ignore[misc]
    """Named under `plugins` in axolotl.yaml."""

    def pre_lora_load(self, cfg: Any, model: Any) -> None:
        """Called when the base model is there and the adapter is not."""
        if cfg.seed is not None:
            set_seed(cfg.seed)
