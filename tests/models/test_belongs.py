"""Base model, adapter and tokenizer that do not belong together are refused before anything is loaded, and it is said why."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lorewright.errors import LorewrightError
from lorewright.models.adapter import read_adapter
from lorewright.models.belongs import Judged, Together, check_together
from tests.weights import Shapes, write_model

pytestmark = pytest.mark.req("F5")
Q, DOWN = "model.layers.0.self_attn.q_proj", "model.layers.0.mlp.down_proj"
BASE: Shapes = {"model.embed_tokens.weight": (10, 8), "lm_head.weight": (10, 8), f"{Q}.weight": (8, 8), f"{DOWN}.weight": (8, 16)}
NAN = 0x7FC0  # of bfloat16


def pair(module: str, out: int, into: int, rank: int = 2) -> dict[str, tuple[int, ...]]:
    return {f"base_model.model.{module}.lora_A.weight": (rank, into), f"base_model.model.{module}.lora_B.weight": (out, rank)}


WHOLE = {**pair(Q, 8, 8), **pair(DOWN, 8, 16)}


def write_adapter(folder: Path, tensors: Mapping[str, tuple[int, ...]], values: Mapping[str, int] | None = None, **settings: Any) -> Path:
    """bf16 tensors. values: the bits that fill a tensor, by a part of its name; 1.0 elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    header: dict[str, Any] = {}
    data = b""
    for name, shape in tensors.items():
        bits = next((value for part, value in (values or {}).items() if part in name), 0x3F80)
        piece = np.full(shape, bits, dtype="<u2").tobytes()
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [len(data), len(data) + len(piece)]}
        data += piece
    text = json.dumps(header).encode()
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    known = {"peft_type": "LORA", "r": 2, "base_model_name_or_path": "org/base"} | settings
    (folder / "adapter_config.json").write_text(json.dumps(known))
    return folder


def judge(tmp_path: Path, tensors: Mapping[str, tuple[int, ...]] = WHOLE, *, base: Shapes = BASE, model: str = "org/base", tokens: int = 10,
          values: Mapping[str, int] | None = None, config: Mapping[str, Any] | None = None, **settings: Any) -> Judged:  # fmt: skip
    folder = write_model(tmp_path / "base", base)
    if config:
        (folder / "config.json").write_text(json.dumps(config))
    adapter = write_adapter(tmp_path / "adapter", tensors, values, **settings)
    vocabulary = {"model": {"vocab": {str(number): number for number in range(tokens - 1)}}, "added_tokens": [{"id": tokens - 1}]}
    (adapter / "tokenizer.json").write_text(json.dumps(vocabulary))
    return check_together(Together(folder, model, read_adapter(adapter), adapter))


def test_what_belongs_together_passes(tmp_path: Path) -> None:
    assert judge(tmp_path) == Judged(2, ())


EMBED = {"base_model.model.model.embed_tokens.weight": (12, 8)}
HEAD = {"base_model.model.lm_head.weight": (12, 8)}
TIED = {name: shape for name, shape in BASE.items() if name != "lm_head.weight"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": "org/other"}, "the adapter was trained on org/base, not on org/other"),
        ({"tensors": pair("model.layers.7.self_attn.q_proj", 8, 8)}, "the base model has no model.layers.7.self_attn.q_proj"),
        ({"tensors": pair(Q, 8, 4)}, "q_proj is 8 x 8 in the base and 8 x 4 in the adapter"),
        ({"tensors": pair(DOWN, 16, 8)}, "down_proj is 8 x 16 in the base and 16 x 8 in the adapter"),
        ({"tokens": 11}, "the tokenizer has tokens up to 10, and model.embed_tokens has 10 rows; the tokenizer has tokens up to 10, and lm_head"),
        ({"tensors": WHOLE | EMBED, "tokens": 12}, "and lm_head has 10 rows; "),
        ({"tensors": WHOLE | EMBED | HEAD, "tokens": 13}, "tokens up to 12, and model.embed_tokens has 12 rows"),
        ({"tensors": WHOLE | EMBED | HEAD, "base": TIED}, "an lm_head of its own, and the base model's is its embedding"),
        ({"modules_to_save": ["lm_head"]}, "lm_head was trained whole, but its weights are not in adapter_model.safetensors"),
        ({"tensors": WHOLE | {"base_model.model.score.weight": (2, 8)}}, "the base model has no score, which was trained whole"),
        ({"tensors": WHOLE | {f"base_model.model.{Q}.bias": (8,)}}, f"the merge would leave out what it does not know: {Q}.bias"),
        ({"tensors": WHOLE | {"base_model.model.model.embed_tokens.lora_embedding_A": (2, 10)}}, "embed_tokens.lora_embedding_A"),
        ({"tensors": {f"base_model.model.{Q}.lora_A.weight": (2, 8)}}, "q_proj has lora_A alone"),
        ({"peft_type": "ADALORA"}, "no LoRA .peft_type ADALORA."),
        ({"values": {f"{DOWN}.lora_B": NAN}}, f"values that are no numbers, in {DOWN}.lora_B.weight"),
        ({"values": {"lora_A": 0x7F80}}, "no numbers, in .*lora_A.weight and 1 more"),
    ],
)  # fmt: skip
def test_what_does_not_belong_together_is_refused(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(LorewrightError, match=said):
        judge(tmp_path, **given)


@pytest.mark.parametrize(
    "given",
    [
        {"model": "ORG/Base@main"},
        {
            "tensors": {f"base_model.model.{name}": shape for name, shape in pair(f"model.language_{Q}", 8, 8).items()}
        },  # inside another model
        {"tensors": pair("transformer.layers.0.attn.q", 8, 8)},  # trained under another name than it is stored by
        {"tensors": pair(DOWN, 16, 8), "fan_in_fan_out": True},
        {"tensors": WHOLE | EMBED | HEAD, "tokens": 12},
        {"tensors": WHOLE | pair("model.layers.0.mlp.experts.base_layer", 64, 8)},
        {"tensors": WHOLE | {f"base_model.model.{Q}.lora_magnitude_vector": (8,)}},
        {"tensors": pair(Q, 8, 8), "base": BASE | {f"{Q}.weight": (32, 1)}, "config": {"quantization_config": {}}},
    ],
)
def test_what_only_looks_different_is_taken(tmp_path: Path, given: dict[str, Any]) -> None:
    assert judge(tmp_path, **given).warnings == ()


def test_an_untouched_adapter_is_told_and_merged(tmp_path: Path) -> None:
    assert "changes nothing" in judge(tmp_path, values={"lora_B": 0x8000}).warnings[0], "minus zero is zero"
    assert judge(tmp_path, values={f"{DOWN}.lora_B": 0}).warnings == ()
    assert judge(tmp_path, WHOLE | EMBED | HEAD, values={"lora_B": 0}).warnings == (), "its embeddings are trained"


def test_a_folder_of_another_name_is_told(tmp_path: Path) -> None:
    assert judge(tmp_path, base_model_name_or_path="/moved/base", model="/here/base").warnings == ()
    assert "trained on base; it fits instruct" in judge(tmp_path, model="/here/instruct").warnings[0]


def test_a_base_or_adapter_that_was_cut_off_is_named(tmp_path: Path) -> None:
    judge(tmp_path)
    for name, said in (("adapter/adapter_model.safetensors", "its header says"), ("adapter/adapter_config.json", "cannot be read")):
        text = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(text[:-1])
        with pytest.raises(LorewrightError, match=said):
            read_adapter(tmp_path / "adapter")
        (tmp_path / name).write_bytes(text)
    adapter = read_adapter(tmp_path / "adapter")
    (tmp_path / "adapter" / "tokenizer.json").write_text("{")
    with pytest.raises(LorewrightError, match="the tokenizer cannot be read"):
        check_together(Together(tmp_path / "base", "org/base", adapter, tmp_path / "adapter"))
    (tmp_path / "base" / "model.safetensors").write_bytes(b"12345678")
    with pytest.raises(LorewrightError, match=r"the base model is not whole: model\.safetensors"):
        check_together(Together(tmp_path / "base", "org/base", adapter, tmp_path / "adapter"))
    (tmp_path / "adapter" / "adapter_model.safetensors").unlink()
    with pytest.raises(LorewrightError, match=r"no adapter: adapter_model\.safetensors is missing"):
        read_adapter(tmp_path / "adapter")


def test_of_a_file_of_torch_the_name_alone_is_judged(tmp_path: Path) -> None:
    judge(tmp_path)
    (tmp_path / "base" / "model.safetensors").unlink()
    with zipfile.ZipFile(tmp_path / "base" / "pytorch_model.bin", "w") as archive:
        archive.writestr("data.pkl", "")
    adapter = read_adapter(tmp_path / "adapter")
    assert check_together(Together(tmp_path / "base", "org/base", adapter, tmp_path / "adapter")).modules == 2
    with pytest.raises(LorewrightError, match="trained on org/base, not on org/other"):
        check_together(Together(tmp_path / "base", "org/other", adapter, tmp_path / "adapter"))


EXPERTS = {
    **pair("model.layers.0.mlp.experts", 8, 16, rank=6),
    "base_model.model.model.layers.0.mlp.experts.base_layer.lora_A.weight": (6, 8),
    "base_model.model.model.layers.0.mlp.experts.base_layer.lora_B.weight": (32, 6),
}
MXFP4 = BASE | {"model.layers.0.mlp.experts.down_proj_blocks": (3, 8, 1, 16), "model.layers.0.mlp.experts.down_proj_scales": (3, 8, 1)}


@pytest.mark.req("Z4")
def test_adapters_on_experts_that_are_stored_as_codes_are_refused(tmp_path: Path) -> None:
    assert judge(tmp_path / "attention", WHOLE, base=MXFP4).modules == 2
    with pytest.raises(LorewrightError, match=r"the adapter changes experts .*mlp\.experts.* stored in MXFP4") as refused:
        judge(tmp_path / "experts", WHOLE | EXPERTS, base=MXFP4)
    assert "in 16 bits" in refused.value.remedy


@pytest.mark.req("Z4")
def test_a_base_in_4_bits_is_refused_with_the_model_it_was_made_from(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "nf4.json").write_text('{"source": "/models/gpt-oss"}')
    with pytest.raises(LorewrightError, match="the base model is stored in 4 bits") as refused:
        judge(tmp_path, config={"quantization_config": {"quant_method": "bitsandbytes"}})
    assert refused.value.remedy.endswith("the model it was made from, /models/gpt-oss")
