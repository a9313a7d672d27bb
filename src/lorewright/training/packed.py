"""Packed samples stay in their order when a training goes on: Axolotl alone mixes them up then."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lorewright.workers

SOURCE = Path(lorewright.workers.__file__).with_name("packed_order.py")
PLUGIN = f"{SOURCE.stem}.SameOrder"


def with_order(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The configuration with the plugin that keeps the order, which is put into `folder` beside axolotl.yaml."""
    if not config.get("sample_packing"):
        return dict(config)
    shutil.copyfile(SOURCE, folder / SOURCE.name)
    return dict(config) | {"plugins": [*(config.get("plugins") or []), PLUGIN]}
