"""An Axolotl plugin: several processes without a card. Axolotl would place each one's model on the card of its number."""

from __future__ import annotations

from typing import Any

from axolotl.integrations.base import BasePlugin


class OnProcessor(BasePlugin):  # type: ignore[misc]
    def load_datasets(self, cfg: Any, preprocess: bool = False) -> None:
        """Called before the model is loaded."""
        cfg.device_map = {"": "cpu"}
