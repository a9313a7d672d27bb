"""What FSDP and DeepSpeed's ZeRO share out: each card holds its part, and the whole of the layer that it works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lorewright.recipe.check_several import zero_stage
from lorewright.training.forecast.memory import Peak, layer_weights, outer_weights
from lorewright.training.forecast.settings import Settings, of_fsdp
from lorewright.training.forecast.shape import Shape

STATES = ("gradients", "optimizer")
ALL = ("weights", "adapter", *STATES)
ZERO = {1: ("optimizer",), 2: STATES, 3: ALL}
# FSDP's first version names what it shares out, or gives its number; the second says whether weights are shared out again after a layer.
KEEPS_WEIGHTS, NOTHING = ("SHARD_GRAD_OP", "2", "False"), ("NO_SHARD", "3")


def shared_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The parts of memory (memory.PARTS) that are divided by the cards."""
    if not config.get("fsdp_config") and not config.get("fsdp"):
        return ZERO.get(zero_stage(config.get("deepspeed")), ())
    ways = [str(of_fsdp(config, key)) for key in ("sharding_strategy", "reshard_after_forward")]
    if any(way in NOTHING for way in ways):
        return ()
    return STATES if any(way in KEEPS_WEIGHTS for way in ways) else ALL


def on_each(peak: Peak, shared: tuple[str, ...], cards: int, shape: Shape, settings: Settings) -> Peak:
    """What one card holds. FSDP's outermost unit, embedding and output matrix, is gathered as long as the layers inside are worked on."""
    parts = {name: size / cards if name in shared else size for name, size in peak.parts.items()}
    if "weights" in shared and peak.phase != "loading":
        parts["workspace"] += layer_weights(shape, settings) + outer_weights(shape, settings)
    return replace(peak, parts=parts, paged=peak.paged / cards if "optimizer" in shared else peak.paged)
