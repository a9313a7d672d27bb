"""A plugin of Axolotl's for trainings in 4 bit: experts come into the model in the form in which the checkpoint stores them.

In bitsandbytes' NF4 (from `lorewright convert`, or a repository of that layout) transformers 5.16 loads linear layers by itself, but of
experts the codes alone, and without their magnitudes they are no weights. Here each gets what stands beside it, and is never anything
but four bits, neither in the machine's memory nor on the card. In MXFP4, as gpt-oss comes, transformers refuses a training in 4 bit; here
an expert tensor is unpacked while it is read, and what quantises tensors of 16 bits while they are loaded goes on as ever.
"""

from collections.abc import Callable
from typing import Any

import torch
from axolotl.integrations.base import BasePlugin
from bitsandbytes.nn import Linear4bit
from bitsandbytes.nn.parametrize import replace_parameter_4bit_prequantized
from safetensors import safe_open
from transformers.core_model_loading import ConversionOps, WeightConverter
from transformers.integrations.mxfp4 import convert_moe_packed_tensors
from transformers.quantizers.auto import AutoHfQuantizer
from transformers.quantizers.quantizer_bnb_4bit import Bnb4BitHfQuantizer

STATE = ".quant_state.bitsandbytes__"  # the last of the tensors that bitsandbytes saves beside a quantised one
BESIDE = r"\.(absmax|quant_map|nested_absmax|nested_quant_map|quant_state\.bitsandbytes__(nf4|fp4))$"
EXPERTS = ("gate_up_proj", "down_proj")


class LoadedAsStored(BasePlugin):  # type: ignore[misc]
    """Named under `plugins` in axolotl.yaml."""

    def pre_model_load(self, cfg: Any) -> None:
        install()

    def post_model_build(self, cfg: Any, model: Any) -> None:
        """As after `quantize_moe_experts`: nothing of the model is raised to 32 bits, and no expert is unpacked for that."""
        if getattr(model, "experts_as_stored", 0):
            model._moe_experts_quantized = True


def install() -> None:
    """Changes how transformers loads models in bitsandbytes' 4 bits; once is enough."""
    if not getattr(Bnb4BitHfQuantizer, "loads_as_stored", False):
        Bnb4BitHfQuantizer.loads_as_stored = True
        _with_stored_experts(Bnb4BitHfQuantizer)
        _from_mxfp4(Bnb4BitHfQuantizer)


def _with_stored_experts(quantizer: Any) -> None:
    """quantizer: its two hooks around the reading of the weights."""
    before, after = quantizer._process_model_before_weight_loading, quantizer._process_model_after_weight_loading

    def make_room(self: Any, model: Any, device_map: Any = None, **more: Any) -> None:
        self.experts, self.trained_in = {}, model.dtype
        if self.pre_quantized:
            self.quantization_config.bnb_4bit_compute_dtype = model.dtype  # the training's, whatever the one who stored it had
            self.experts = _stored(model, more.get("checkpoint_files") or [])
        before(self, model, device_map, **more)

    def put(self: Any, model: Any, **more: Any) -> Any:
        for module, names in _by_module(model, self.experts).items():
            for name, files in names.items():
                _complete(module, name, files, self.trained_in)
        if self.pre_quantized:
            for module in model.modules():
                if isinstance(module, Linear4bit) and module.weight.quant_state is not None:
                    module.weight.quant_state.dtype = self.trained_in
        model.experts_as_stored = len(self.experts)
        return after(self, model, **more)

    quantizer._process_model_before_weight_loading, quantizer._process_model_after_weight_loading = make_room, put


Files = dict[str, str]  # a tensor's name -> the file it is in


def _stored(model: Any, files: list[str]) -> dict[str, Files]:
    """Quantised parameters that are no linear layers', with all their tensors. In the model they get the codes' size and type.

    Raises ValueError where the model has no such parameter.
    """
    at = {name: file for file in files for name in _names(file)}
    found: dict[str, Files] = {}
    for name in [key.partition(STATE)[0] for key in at if STATE in key]:
        module, _, leaf = name.rpartition(".")
        try:
            holder = model.get_submodule(module)
            shape = tuple(getattr(holder, leaf).shape)
        except AttributeError:
            raise ValueError(f"{at[name]}: {name} is stored in 4 bits, and the model has no such parameter") from None
        if leaf == "weight" and len(shape) == 2:
            continue  # a linear layer
        with safe_open(at[name], "pt") as opened:
            codes = opened.get_slice(name).get_shape()
        holder._parameters[leaf] = torch.nn.Parameter(torch.empty(codes, dtype=torch.uint8, device="meta"), requires_grad=False)
        found[name] = {key: file for key, file in at.items() if key.startswith(f"{name}.")}
    if found:
        model._keys_to_ignore_on_load_unexpected = {*(model._keys_to_ignore_on_load_unexpected or ()), BESIDE}
    return found


def _names(file: str) -> list[str]:
    if not str(file).endswith(".safetensors"):
        return []
    with safe_open(file, "pt") as opened:
        return list(opened.keys())


def _by_module(model: Any, experts: dict[str, Files]) -> dict[Any, dict[str, Files]]:
    """In the order in which each module has its parameters: an adapter on several of them is nested in that order."""
    modules = {model.get_submodule(name.rpartition(".")[0]): name.rpartition(".")[0] for name in experts}
    return {
        module: {leaf: experts[f"{at}.{leaf}"] for leaf in list(module._parameters) if f"{at}.{leaf}" in experts}
        for module, at in modules.items()
    }


def _complete(module: torch.nn.Module, name: str, files: Files, dtype: torch.dtype) -> None:
    """Codes, which lie in the module, and what stands beside them in the files: a parameter that is unpacked when it is used."""
    device = module._parameters[name].device
    beside = {}
    for key, file in files.items():
        with safe_open(file, "pt") as opened:
            beside[key] = opened.get_tensor(key)
    replace_parameter_4bit_prequantized(module, name, beside, device)
    module.parametrizations[name][0].quant_state.dtype = dtype


class Unpacked(ConversionOps):  # type: ignore[misc]
    """MXFP4 blocks and scales to plain numbers, laid out as the model multiplies with them."""

    def convert(self, input_dict: dict[str, Any], model: Any = None, full_layer_name: str = "", **_: Any) -> dict[str, torch.Tensor]:
        parts = {key: value[0] if isinstance(value, list) else value for key, value in input_dict.items()}
        blocks, scales = (next(value for key, value in parts.items() if key.endswith(end)) for end in ("_blocks", "_scales"))
        return {full_layer_name: convert_moe_packed_tensors(blocks, scales, dtype=model.dtype)}


def _from_mxfp4(quantizer: Any) -> None:
    """A checkpoint in MXFP4 counts as one of 16 bits, whose experts are unpacked on the way."""
    conversions: Callable[..., list[Any]] = quantizer.get_weight_conversions
    supported = AutoHfQuantizer.supports_quant_method

    def with_unpacking(self: Any) -> list[Any]:
        wanted = [] if self.pre_quantized else EXPERTS
        return conversions(self) + [WeightConverter([f"{name}_blocks", f"{name}_scales"], f"{name}$", [Unpacked()]) for name in wanted]

    def no_mxfp4(config: Any) -> bool:
        return config.get("quant_method") != "mxfp4" and bool(supported(config))

    quantizer.get_weight_conversions = with_unpacking
    AutoHfQuantizer.supports_quant_method = staticmethod(no_mxfp4)
