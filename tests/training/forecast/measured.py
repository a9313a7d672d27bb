"""What was measured on one H200 with the shape of Llama-3.1-8B: recipe keys, peak GiB in PyTorch's count, tokens a second, held out or not."""

from __future__ import annotations

from typing import Any

PLAIN: dict[str, Any] = {
    "adapter": "qlora", "load_in_4bit": True, "lora_r": 64, "lora_alpha": 128, "lora_target_linear": True, "sequence_len": 2048,
    "micro_batch_size": 4, "gradient_accumulation_steps": 4, "bf16": True, "gradient_checkpointing": True, "attn_implementation": "sdpa",
    "optimizer": "paged_adamw_8bit", "base_model": "meta-llama/Llama-3.1-8B",
}  # fmt: skip
LIGER: dict[str, Any] = PLAIN | {
    "plugins": ["axolotl.integrations.liger.LigerPlugin"], "liger_rope": True, "liger_rms_norm": True, "liger_glu_activation": True,
    "liger_fused_linear_cross_entropy": True,
}  # fmt: skip
ALONE = LIGER | {"liger_rope": False}  # Axolotl without our plugin loses Liger's rotation, as it did in these
SMALL = ALONE | {"micro_batch_size": 1, "gradient_accumulation_steps": 16}
LORA = PLAIN | {"adapter": "lora", "load_in_4bit": False, "optimizer": "adamw_torch_fused"}
# (name, keys, GiB, tokens a second, whether a constant of time was set from it)
H200 = [
    ("QLoRA, plain", PLAIN, 20.5, 8600, False),
    ("QLoRA, Liger", ALONE, 9.97, 9650, True),
    ("QLoRA, Liger, micro-batch 1", SMALL, 7.61, 6050, True),
    ("LoRA, plain", LORA, 31.4, 8900, False),
]
