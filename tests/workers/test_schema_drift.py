"""The committed schemas of Axolotl's and vLLM's keys say what the pinned tools say, and refuse what they would drop."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from lorewright.envs import ensure
from tests.warm import Warm

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "configs" / "schema"
WORKERS = ROOT / "src" / "lorewright" / "workers"
COMMON = {"base_model": "some/model", "datasets": [{"path": "x.jsonl", "type": "alpaca"}], "learning_rate": 1e-4}

# Each is a whole configuration once COMMON is put under it; Axolotl itself accepts every one (tested below).
AXOLOTL_ACCEPTS = {
    "lora on a CPU": """
        datasets: [{path: x.jsonl, ds_type: json, type: chat_template, roles_to_train: [assistant], train_on_eos: turn}]
        adapter: lora
        lora_r: 8
        lora_alpha: 16
        lora_target_modules: [q_proj, v_proj]
        bf16: false
        fp16: false
        tf32: false
        device_map: cpu
        attn_implementation: sdpa
        lora_mlp_kernel: false
        max_steps: 10
    """,
    "qlora with plugins": """
        adapter: qlora
        load_in_4bit: true
        bnb_config_kwargs: {bnb_4bit_quant_type: nf4}
        lora_r: 64
        lora_target_linear: true
        learning_rate: 2e-4
        weight_decay: 1e-2
        bf16: auto
        val_set_size: 0.05
        eval_steps: 0.05
        saves_per_epoch: 4
        gradient_checkpointing: offload
        special_tokens: {pad_token: <pad>}
        plugins: [axolotl.integrations.liger.LigerPlugin, axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin]
        liger_rope: true
        liger_glu_activation: true
        cut_cross_entropy: true
    """,
    "full fine-tune under FSDP2": """
        optimizer: adamw_torch_fused
        flash_attention: true
        fsdp_version: 2
        fsdp_config: {offload_params: false, auto_wrap_policy: TRANSFORMER_BASED_WRAP, transformer_layer_cls_to_wrap: LlamaDecoderLayer}
        bf16: true
        wandb_project:
    """,
    "FSDP in its old spelling": """
        fsdp: [full_shard, auto_wrap]
        fsdp_config: {fsdp_offload_params: true, fsdp_state_dict_type: FULL_STATE_DICT}
    """,
    "FSDP version by its alias": "fsdp_config: {version: 2, offload_params: true}",
    "DeepSpeed by path": """
        datasets: [{path: x, type: {field_instruction: q, field_output: a, format: '[INST] {instruction} [/INST]'}}]
        deepspeed: deepspeed/zero3.json
        bf16: true
        sample_packing: true
        attn_implementation: flash_attention_2
        torch_compile: auto
        eval_strategy: steps
        eval_steps: 50
    """,
    "DeepSpeed in place": "deepspeed: {zero_optimization: {stage: 2}}",
    "DPO": """
        rl: dpo
        rl_beta: 0.1
        chat_template: llama3
        datasets: [{path: x, split: train, type: chat_template.default, field_messages: m, field_chosen: c, field_rejected: r}]
        adapter: lora
        lora_target_modules: all-linear
    """,
    "KTO": """
        rl: kto
        remove_unused_columns: false
        datasets: [{path: x, type: {field_prompt: p, field_completion: c, field_label: l}, split: train}]
    """,
    "GRPO": """
        rl: grpo
        micro_batch_size: 4
        vllm: {gpu_memory_utilization: 0.85, max_model_len: 4096}
        trl: {beta: 0.001, max_completion_length: 256, use_vllm: true, num_generations: 4, reward_funcs: [rewards.f]}
        datasets: [{path: x, type: rewards.transform, split: train}]
    """,
    "pretraining": """
        pretraining_dataset: [{path: x, type: pretrain, text_column: text}]
        streaming: true
        max_steps: 100
        model_config: {rope_theta: 10000}
        overrides_of_model_kwargs: {a: 1}
    """,
    "odds and ends": """
        type_of_model: AutoModelForCausalLM
        chat_template: jinja
        chat_template_jinja: t.jinja
        datasets:
          - {path: a.jsonl, type: chat_template, chat_template: tokenizer_default, message_field_role: from, data_files: a.jsonl}
          - {path: synthetic, type: _synthetic, length: 50, sequence_length: 128}
        lr_groups: [{name: g, modules: [m], lr: 1e-5}]
        qat: {activation_dtype: int8, weight_dtype: fp8}
        excess_length_strategy: truncate
        dataset_processes: 2
        image_size: [224, 224]
        torch_compile: true
        torch_compile_options: {max_autotune_gemm: true}
        peft: {loftq_config: {loftq_bits: 4}}
    """,
}
AXOLOTL_REFUSES = {
    "per_device_train_batch_size": 1,
    "per_device_eval_batch_size": 1,
    "bnb_4bit_quant_type": "nf4",
    "bnb_4bit_compute_dtype": "bfloat16",
    "bnb_4bit_use_double_quant": True,
    "logging_first_step": True,
    "lora_dropoot": 0.1,
    "bf16": "full",
    "lora_r": "many",
    "learning_rate": [1],
    "val_set_size": "a tenth",
    "excess_length_strategy": "ignore",
    "chat_template": "no_such_template",
    "datasets": [{"path": "x", "typ": "alpaca"}],
    "test_datasets": [{"path": "x", "type": {"field_promt": "p"}}],
    "special_tokens": {"pad": "<pad>"},
    "fsdp_config": {"offload": True},
    "trl": {"betta": 0.1},
}
VLLM_ACCEPTS = """
    model: some/model
    max_model_len: 64k
    max_num_seqs: 9
    gpu_memory_utilization: 0.9
    enable_prefix_caching: false
    enable_lora: true
    lora_modules: [style=/adapter]
    max_lora_rank: 64
    kv_cache_dtype: fp8
    enforce_eager: true
    served_model_name: voice
    speculative_config: {method: ngram, num_speculative_tokens: 3}
    compilation_config: '{"mode": 0}'
    chat_template: null
    optimization_level: 0
    cudagraph_capture_sizes: [1, 2, 4]
    max_num_batched_tokens: 8192
    tensor_parallel_size: 1
    dtype: auto
    quantization: null
    allowed_origins: ['*']
    port: 8000
"""
VLLM_REFUSES = {
    "max_model_length": 4096,
    "max-model-len": 4096,
    "no_enable_prefix_caching": True,
    "max_model_len": "64kb",
    "max_num_seqs": None,
    "max_lora_rank": 48,
    "dtype": "fp7",
    "enforce_eager": "yes",
    "device_ids": [0, 1],
    "config": "other.yaml",
}
# Run by the train environment: reads {name: configuration}, prints {name: complaint} of those that Axolotl refuses.
ASK_AXOLOTL = """
import json, sys
from axolotl.utils.schemas.config import AxolotlInputConfig
refused = {}
for name, config in json.load(open(sys.argv[1])).items():
    try:
        AxolotlInputConfig(**config)
    except Exception as problem:
        refused[name] = str(problem)
json.dump(refused, open(sys.argv[2], "w"))
"""


def schema_of(tool: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{tool}.schema.json").read_text(encoding="utf-8"))
    return schema


def whole(text: str) -> dict[str, Any]:
    return {**COMMON, **yaml.safe_load(text)}


def complaints(tool: str, value: dict[str, Any]) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema_of(tool)).iter_errors(value)]


@pytest.mark.parametrize("tool", ["axolotl", "vllm"])
def test_schema_is_valid_and_closed(tool: str) -> None:
    schema = schema_of(tool)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"{tool}.schema.json"
    assert schema["additionalProperties"] is False
    assert "required" not in schema


@pytest.mark.parametrize("name", AXOLOTL_ACCEPTS)
def test_axolotl_keys_accepted(name: str) -> None:
    assert complaints("axolotl", whole(AXOLOTL_ACCEPTS[name])) == []


@pytest.mark.parametrize("key", AXOLOTL_REFUSES)
def test_axolotl_keys_refused(key: str) -> None:
    assert len(complaints("axolotl", {**COMMON, key: AXOLOTL_REFUSES[key]})) == 1


def test_a_fault_deep_down_is_named() -> None:
    [complaint] = complaints("axolotl", {"datasets": [{"path": "x", "typ": "alpaca"}]})
    assert complaint.startswith("$.datasets[0]: ")
    assert "'typ' was unexpected" in complaint


def test_plugin_keys_name_their_plugin() -> None:
    keys = schema_of("axolotl")["properties"]
    assert keys["liger_rope"]["x-plugin"] == "axolotl.integrations.liger.LigerPlugin"
    assert "x-plugin" not in keys["lora_r"]


def test_vllm_options_accepted() -> None:
    assert complaints("vllm", yaml.safe_load(VLLM_ACCEPTS)) == []


@pytest.mark.parametrize("key", VLLM_REFUSES)
def test_vllm_options_refused(key: str) -> None:
    assert len(complaints("vllm", {key: VLLM_REFUSES[key]})) == 1


@pytest.mark.parametrize("tool", ["axolotl", "vllm"])
def test_every_key_is_described_or_typed(tool: str) -> None:
    free = {key for key, node in schema_of(tool)["properties"].items() if not node.keys() - {"default", "deprecated"}}
    assert free <= {"device", "rope_scaling"}


@pytest.mark.real
def test_committed_schema_is_what_axolotl_says(tmp_path: Path, warm_axolotl: Warm) -> None:
    made, log = tmp_path / "schema.json", tmp_path / "log"
    assert warm_axolotl.run([str(WORKERS / "axolotl_schema.py"), str(made)], tmp_path, log) == 0, log.read_text()
    assert made.read_bytes() == (SCHEMAS / "axolotl.schema.json").read_bytes()


@pytest.mark.real
def test_committed_schema_is_what_vllm_says(tmp_path: Path) -> None:
    made = tmp_path / "schema.json"
    subprocess.run([ensure("serve").python, str(WORKERS / "vllm_schema.py"), str(made)], check=True, capture_output=True, timeout=300)
    assert made.read_bytes() == (SCHEMAS / "vllm.schema.json").read_bytes()


@pytest.mark.real
def test_axolotl_accepts_what_the_schema_accepts(tmp_path: Path, warm_axolotl: Warm) -> None:
    asked, answer, script, log = (tmp_path / name for name in ("asked.json", "answer.json", "ask.py", "log"))
    asked.write_text(json.dumps({name: whole(text) for name, text in AXOLOTL_ACCEPTS.items()}), encoding="utf-8")
    script.write_text(ASK_AXOLOTL)
    assert warm_axolotl.run([str(script), str(asked), str(answer)], tmp_path, log) == 0, log.read_text()
    assert json.loads(answer.read_text(encoding="utf-8")) == {}
