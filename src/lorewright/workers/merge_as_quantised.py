"""A plugin of Axolotl's for the merge of a QLoRA adapter: only what training had in 4 bits is rounded to 4 bits.

Axolotl's merge rounds every matrix to NF4 and back, so that the adapter meets the base it was trained on. Training has the linear
layers in 4 bits and the rest as it is: embeddings, the head, what is no layer of its own. Rounded too, these alone moved the starter's
next words by 0.0076 nats and its likeliest word at 6 of 100 positions (benchmarks/results/parity_bounds.md).
"""

from pathlib import Path
from typing import Any

from axolotl.cli.utils import lora_merge
from axolotl.integrations.base import BasePlugin

HEAD = "lm_head"  # transformers leaves a head out of what it quantises


class AsQuantised(BasePlugin):  # type: ignore[misc]
    """Named under `plugins` in the merge's axolotl.yaml."""

    def register(self, cfg: Any) -> None:
        """Called when the configuration has been read."""
        if not getattr(lora_merge, "_as_quantised", False):  # a merge reads its configuration twice
            lora_merge._as_quantised = True
            _only_linear_layers()


def _only_linear_layers() -> None:
    layers, rounds = lora_merge._build_layer_type_map, lora_merge._should_nf4_roundtrip
    linear: set[str] = set()

    def remembered(base: Path, *given: Any, **named: Any) -> dict[str, str]:
        found: dict[str, str] = layers(base, *given, **named)
        linear.update(name for name, kind in found.items() if kind == "Linear" and not name.endswith(HEAD))
        return found

    def wanted(key: str, tensor: Any, simulate: bool, experts: bool) -> bool:
        plain = bool(rounds(key, tensor, simulate, experts))
        if not plain or not linear:  # a model that transformers cannot lay out is merged as Axolotl does it
            return plain
        return experts if tensor.ndim > 2 else _ends(key.removesuffix(".weight"), linear)

    lora_merge._build_layer_type_map, lora_merge._should_nf4_roundtrip = remembered, wanted


def _ends(module: str, linear: set[str]) -> bool:
    """Whether the module is one of these; a checkpoint may write more or less before the same name."""
    return any(module == name or module.endswith(f".{name}") or name.endswith(f".{module}") for name in linear)
