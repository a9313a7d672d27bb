"""Our plugins of Axolotl's, for what it leaves to chance or leaves out: programs of workers/, put beside axolotl.yaml.

The trainer starts with that folder first among those that it imports from, so that axolotl.yaml works by hand too.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lorewright.workers

START, ORDER, FUSED = "same_start.SameStart", "packed_order.SameOrder", "fused_throughout.FusedThroughout"
UNPACKED = "kept_unpacked.KeptUnpacked"
UNDRAWN, QUANTISED = "merge_without_drawing.WithoutDrawing", "merge_as_quantised.AsQuantised"
# For a merge: its plugins lie beside axolotl.yaml.
VARIABLES = {"PYTHONPATH": "."}
LIGER = "axolotl.integrations.liger.LigerPlugin"


def without_ours(config: Mapping[str, Any]) -> dict[str, Any]:
    """A training's configuration for another folder and another tool, which have them not and need them not."""
    left = [plugin for plugin in config.get("plugins") or [] if plugin not in (START, ORDER, FUSED, UNPACKED)]
    return {key: value for key, value in config.items() if key != "plugins"} | ({"plugins": left} if left else {})


def with_plugins(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The configuration with the plugins that it needs, which are put into `folder`."""
    needed = {
        START: True,
        ORDER: config.get("sample_packing"),
        FUSED: LIGER in (config.get("plugins") or []),
        UNPACKED: config.get("load_in_4bit") and config.get("device_map") == "cpu",
    }
    return _put(config, folder, [plugin for plugin, wanted in needed.items() if wanted])


def for_merge(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A merge's configuration with its own plugins."""
    four_bit = config.get("load_in_4bit") or config.get("adapter") == "qlora"  # when Axolotl rounds
    return _put(config, folder, [UNDRAWN, *([QUANTISED] if four_bit else [])])


def _put(config: Mapping[str, Any], folder: Path, ours: list[str]) -> dict[str, Any]:
    for plugin in ours:
        name = f"{plugin.partition('.')[0]}.py"
        shutil.copyfile(Path(lorewright.workers.__file__).with_name(name), folder / name)
    return dict(config) | {"plugins": [*(config.get("plugins") or []), *ours]}
