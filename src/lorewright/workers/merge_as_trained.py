"""A plugin of Axolotl's for its merge: in 4 bits is what was in 4 bits while the adapter was trained, and nothing else.

For an adapter trained in 4 bits Axolotl's merge rounds each matrix of the base model to NF4 before it adds the adapter, so that the sum is
what was trained. It does so to all that has two dimensions: the embedding, the head and the router, which were trained in 16 bits, and the
packed codes of MXFP4 experts, which are no numbers and are destroyed by it.
"""

import re
from typing import Any

from axolotl.cli.utils import lora_merge
from axolotl.integrations.base import BasePlugin

# What transformers quantises are linear layers but the last; these are none, whatever their shape.
LEFT = re.compile(r"(^|\.)(lm_head|score|embed\w*|wte|wpe|router|gate|\w*norm\w*|ln_\w+)\.weight$")


def was_in_4_bits(key: str, tensor: Any, simulate_nf4: bool, simulate_nf4_experts: bool) -> bool:
    """key: a tensor's name in the base model. simulate_nf4: linear layers were. simulate_nf4_experts: experts were, too."""
    if not tensor.is_floating_point() or tensor.ndim < 2:
        return False
    if "experts" in key.split("."):
        return simulate_nf4_experts and (tensor.ndim > 2 or key.endswith(".weight"))  # the others are biases, one row an expert
    return simulate_nf4 and tensor.ndim == 2 and key.endswith(".weight") and not LEFT.search(key)


class AsTrained(BasePlugin):  # type: ignore[misc]
    """Named under `plugins` in the merge's axolotl.yaml."""

    def register(self, cfg: Any) -> None:
        """Called when the configuration has been read."""
        lora_merge._should_nf4_roundtrip = was_in_4_bits
