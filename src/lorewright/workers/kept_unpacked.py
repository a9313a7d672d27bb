"""A plugin of Axolotl's for trainings in 4 bit on a processor: an evaluation leaves the weights in the form that can be trained with.

bitsandbytes 0.50 packs them anew for a processor with AVX-512 BF16 as soon as a model evaluates. The training that goes on afterwards then
has no gradient through any of these weights, and says nothing of it.
"""

from typing import Any

from axolotl.integrations.base import BasePlugin


class KeptUnpacked(BasePlugin):  # type: ignore[misc]
    """Named under `plugins` in axolotl.yaml."""

    def post_model_load(self, cfg: Any, model: Any) -> None:
        for module in model.modules():
            if getattr(module, "support_avx512bf16_for_cpu", False):
                module.support_avx512bf16_for_cpu = False
