"""What a training's memory and time follow from, read from Axolotl's keys as Axolotl 0.19 understands them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lorewright.training.forecast.shape import ATTENTION, MLP, Linear, Shape
from lorewright.training.several import whole_step

KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel", "lora_embedding_kernel")


@dataclass(frozen=True)
class Settings:
    """bits: of the frozen weights, 4, 8 or 16 (32 where neither bf16 nor fp16 is asked for). width: bytes of an activation.

    rank: 0 for a model that is trained whole. targets: names of the matrices with an adapter; saved: of modules trained whole beside it.
    kernels: those of Axolotl's fused LoRA functions that apply: qkv, o, mlp. length: tokens of a row, at most. evaluated: rows of an
    evaluation's batch, 0 for none. upcast: the embedding is float32 for a moment while the model is loaded.
    """

    bits: int
    width: int
    rank: int
    targets: tuple[str, ...]
    saved: tuple[str, ...]
    dropout: bool
    kernels: tuple[str, ...]
    length: int
    micro: int
    gathered: int
    packed: bool
    checkpointing: bool
    offload: bool
    layers_offloaded: bool
    norm_kernel: bool
    rope_kernel: bool
    glu_kernel: bool
    loss: str
    attention: str
    optimizer: str
    experts_quantised: bool
    double_quant: bool
    evaluated: int
    tf32: bool
    upcast: bool

    def adapted(self, shape: Shape) -> tuple[Linear, ...]:
        return tuple(linear for linear in shape.linears if linear.name in self.targets) if self.rank else ()


def settings_of(axolotl: Mapping[str, Any], shape: Shape) -> Settings:
    """axolotl: a recipe's section, or a whole axolotl.yaml."""
    adapter = axolotl.get("adapter")
    half = bool(axolotl.get("bf16") or axolotl.get("fp16") or axolotl.get("bfloat16") or axolotl.get("float16"))
    bits = 4 if axolotl.get("load_in_4bit") else 8 if axolotl.get("load_in_8bit") else 16 if half else 32
    rank = int(axolotl.get("lora_r") or 8) if adapter in ("lora", "qlora") else 0
    targets = _targets(axolotl, shape)
    micro, gathered = whole_step(axolotl)
    offload = bool(axolotl.get("activation_offloading")) or axolotl.get("gradient_checkpointing") in ("offload", "offload_disk")
    double = (axolotl.get("bnb_config_kwargs") or {}).get("bnb_4bit_use_double_quant", True)
    return Settings(
        bits=bits, width=2 if half or bits < 16 else 4, rank=rank, targets=targets, saved=tuple(axolotl.get("lora_modules_to_save") or ()),
        dropout=float(axolotl.get("lora_dropout") or 0) > 0, kernels=_kernels(axolotl, targets),
        length=int(axolotl.get("sequence_len") or 512), micro=micro, gathered=gathered, packed=bool(axolotl.get("sample_packing")),
        checkpointing=bool(axolotl.get("gradient_checkpointing") or of_fsdp(axolotl, "activation_checkpointing"))
        or axolotl.get("activation_offloading") == "hidden_states",
        offload=offload, layers_offloaded=bool(axolotl.get("layer_offloading")), norm_kernel=bool(axolotl.get("liger_rms_norm")),
        rope_kernel=bool(axolotl.get("liger_rope")), glu_kernel=bool(axolotl.get("liger_glu_activation")), loss=_loss(axolotl),
        attention=_attention(axolotl), optimizer=str(axolotl.get("optimizer") or "adamw_torch_fused"),
        experts_quantised=bool(axolotl.get("quantize_moe_experts")) or shape.in_nf4, double_quant=bool(double),
        evaluated=int(axolotl.get("eval_batch_size") or micro) if _evaluates(axolotl) else 0, tf32=bool(axolotl.get("tf32")),
        upcast=_upcast(axolotl, bits, adapted=bool(rank), half=half),
    )  # fmt: skip


def of_fsdp(axolotl: Mapping[str, Any], key: str) -> Any:
    """A key of fsdp_config, which its first version begins with fsdp_; None where it is not given."""
    given = axolotl.get("fsdp_config")
    return given.get(key, given.get(f"fsdp_{key}")) if isinstance(given, Mapping) else None


def _upcast(axolotl: Mapping[str, Any], bits: int, *, adapted: bool, half: bool) -> bool:
    """FSDP wants one type in the whole model."""
    if axolotl.get("fsdp_config") or axolotl.get("fsdp"):
        return False
    return adapted and (half or bits < 16) and not (bits == 4 and axolotl.get("embeddings_skip_upcast"))


def _targets(axolotl: Mapping[str, Any], shape: Shape) -> tuple[str, ...]:
    listed = axolotl.get("lora_target_modules") or ()
    words = (listed,) if isinstance(listed, str) else tuple(map(str, listed))
    if axolotl.get("lora_target_linear") or "all-linear" in words:
        return tuple(linear.name for linear in shape.linears)
    return tuple(linear.name for linear in shape.linears if any(linear.name in word for word in words))


def _kernels(axolotl: Mapping[str, Any], targets: tuple[str, ...]) -> tuple[str, ...]:
    """Axolotl switches its fused functions on unless one is named, or the model is in 8 bit or brings its own code."""
    named = any(axolotl.get(key) is not None for key in KERNELS)
    able = axolotl.get("adapter") in ("lora", "qlora") and not axolotl.get("load_in_8bit") and not axolotl.get("trust_remote_code")
    wanted = {key: bool(axolotl.get(key)) if named else able for key in KERNELS}
    parts = {"mlp": ("lora_mlp_kernel", MLP), "qkv": ("lora_qkv_kernel", ATTENTION[:3]), "o": ("lora_o_kernel", ATTENTION[3:])}
    return tuple(name for name, (key, needed) in parts.items() if wanted[key] and set(needed) <= set(targets))


def _loss(axolotl: Mapping[str, Any]) -> str:
    plugins = " ".join(map(str, axolotl.get("plugins") or ()))
    if axolotl.get("liger_fused_linear_cross_entropy") and "liger" in plugins:
        return "liger"
    return "cut" if axolotl.get("cut_cross_entropy") or "cut_cross_entropy" in plugins else "plain"


def _attention(axolotl: Mapping[str, Any]) -> str:
    given = axolotl.get("attn_implementation")
    return str(given) if given else "flash_attention_2" if axolotl.get("flash_attention") else "sdpa"


def _evaluates(axolotl: Mapping[str, Any]) -> bool:
    return bool(axolotl.get("evals_per_epoch") or axolotl.get("eval_steps") or axolotl.get("eval_strategy") in ("steps", "epoch"))
