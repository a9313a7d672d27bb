"""A plugin of Axolotl's: Liger's kernels also work in the two places where Axolotl 0.19 loses them.

Rotation: Axolotl's fused LoRA functions bring a copy of the attention's code, made before Liger puts its own rotation of queries and keys
there, and go on calling the old one, which costs some 6 % of a training's time. Evaluation: Liger's fused loss works while a model trains;
an evaluation holds the scores of the whole vocabulary for every token, which is the peak of the memory as soon as rows are long.
"""

import inspect
import sys
from typing import Any

from axolotl.integrations.base import BasePlugin


class FusedThroughout(BasePlugin):  # type: ignore[misc]
    """Named under `plugins` in axolotl.yaml, after Liger's."""

    def pre_model_load(self, cfg: Any) -> None:
        """Called when both patches are made: the copy gets the rotation that the model's own module has now."""
        copy: Any = sys.modules.get("axolotl.monkeypatch.lora_kernels")
        if cfg.liger_rope and copy and hasattr(copy, "apply_rotary_pos_emb"):
            attention = copy.get_attention_cls_from_config(cfg)
            copy.apply_rotary_pos_emb = sys.modules[attention.__module__].apply_rotary_pos_emb

    def post_trainer_create(self, cfg: Any, trainer: Any) -> None:
        """An evaluation that wants the loss alone takes it without the scores, as the training does."""
        takes = inspect.signature(_inner(trainer.model).forward).parameters
        if cfg.liger_fused_linear_cross_entropy and "skip_logits" in takes and trainer.compute_metrics is None:
            whole = trainer.prediction_step

            def without_scores(model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
                return whole(model, {**inputs, "skip_logits": True}, *rest, **more)

            trainer.prediction_step = without_scores


def _inner(model: Any) -> Any:
    """The model itself, out of the adapter's wrapping."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
