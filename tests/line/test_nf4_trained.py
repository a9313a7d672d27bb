"""From MXFP4 to NF4 and into a training, on a processor: real transformers, bitsandbytes and Axolotl; two small gpt-oss."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lorewright import envs, process
from lorewright.models.adapter import SETTINGS
from lorewright.models.nf4.folder import convert
from lorewright.recipe.check import OWNED
from lorewright.training.plugins import with_plugins
from lorewright.training.render import ON_CPU
from tests.conftest import REPO
from tests.line.conftest import call
from tests.models.nf4.mxfp4_model import CONFIG, bf16, layer, read_tensors, write_gpt_oss, write_tensors

pytestmark = pytest.mark.real
STARTER = REPO / "models" / "starter"
AXOLOTL = {
    "adapter": "qlora", "load_in_4bit": True, "lora_r": 8, "lora_alpha": 16, "lora_dropout": 0.0,
    "lora_target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "lora_target_parameters": ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"],
    "sequence_len": 64, "micro_batch_size": 2, "gradient_accumulation_steps": 1, "max_steps": 6, "num_epochs": 1, "optimizer": "adamw_torch",
    "learning_rate": 2e-3, "lr_scheduler": "constant", "logging_steps": 1, "save_steps": 3, "seed": 42, "gradient_checkpointing": True,
    "output_dir": "adapter", "dataset_prepared_path": "prepared", "auto_resume_from_checkpoints": True,
} | ON_CPU | {"attn_implementation": "eager"}  # fmt: skip
# What `quantize_moe_experts` does, which wants a card.
AT_LOAD = """
from axolotl.integrations.base import BasePlugin
from bitsandbytes.nn.parametrize import replace_parameter_4bit

class QuantisedAtLoad(BasePlugin):
    def post_model_build(self, cfg, model):
        for module in model.modules():
            if type(module).__name__ == "GptOssExperts":
                for name in ("gate_up_proj", "down_proj"):
                    replace_parameter_4bit(module, name, compress_statistics=True, quant_type="nf4")
        model._moe_experts_quantized = True
"""


@dataclass(frozen=True)
class Trained:
    """looked: what nf4_trainings.py said of the larger model, and of the adapter. values: its experts' weights. losses: of every step, by training."""

    folder: Path
    looked: Mapping[str, Any]
    values: int
    losses: Mapping[str, list[str]]


def silent(done: float, total: float | None, note: str = "") -> None:
    pass


def larger(folder: Path) -> int:
    """A gpt-oss whose experts are large beside all else that is in memory. Returns how many weights they are."""
    drawn, size, count, layers = np.random.default_rng(1), 1024, 24, 2
    tensors = {"model.norm.weight": bf16(np.ones(size))}
    tensors |= {name: bf16(drawn.normal(size=(96, size))) for name in ("model.embed_tokens.weight", "lm_head.weight")}
    for number in range(layers):
        tensors |= layer(drawn, number, hidden=size, inner=size, count=count)
    folder.mkdir()
    write_tensors(folder / "model.safetensors", tensors)
    shape = {"hidden_size": size, "intermediate_size": size, "num_local_experts": count, "num_hidden_layers": layers}
    kinds = {"layer_types": ["full_attention"] * layers}
    (folder / "config.json").write_text(json.dumps(CONFIG | shape | kinds))
    return layers * count * 3 * size * size


def configuration(folder: Path, base: Path, **more: Any) -> Path:
    """axolotl.yaml in a folder of its own, with the plugins that the product puts there."""
    folder.mkdir()
    rows = {"path": str(folder.parent / "examples.jsonl"), "ds_type": "json", "type": None}
    config = with_plugins(AXOLOTL | {"base_model": str(base), "datasets": [rows]} | more, folder)
    (folder / "axolotl.yaml").write_text(yaml.safe_dump(config))
    return folder / "axolotl.yaml"


def examples(file: Path) -> None:
    draw = random.Random(5)
    rows = [[draw.randrange(3, 2000) for _ in range(48)] for _ in range(24)]
    file.write_text("".join(json.dumps({"input_ids": ids, "attention_mask": [1] * 48, "labels": ids}) + "\n" for ids in rows))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("nf4")
    values = larger(folder / "larger")
    source = write_gpt_oss(folder / "mxfp4", tokenizer=STARTER)
    convert(folder / "larger", folder / "larger-nf4", silent)
    convert(source, folder / "nf4", silent)
    examples(folder / "examples.jsonl")
    at_load = configuration(folder / "at_load", source)
    (at_load.parent / "quantised_at_load.py").write_text(AT_LOAD)
    config = yaml.safe_load(at_load.read_text())
    at_load.write_text(yaml.safe_dump(config | {"plugins": [*config["plugins"], "quantised_at_load.QuantisedAtLoad"]}))
    stored = configuration(folder / "stored", folder / "nf4")
    broken = configuration(folder / "broken_off", folder / "nf4")
    broken.with_name("first.yaml").write_text(yaml.safe_dump(yaml.safe_load(broken.read_text()) | {"max_steps": 3}))
    names = [stored, at_load, broken.with_name("first.yaml"), broken]
    env = envs.ensure("train")
    paths = os.pathsep.join([str(REPO / "src" / "lorewright" / "workers"), str(at_load.parent)])
    done = subprocess.run(
        [str(env.python), str(REPO / "tests" / "line" / "nf4_trainings.py"), str(folder / "larger-nf4"), str(folder / "examples.jsonl"), *map(str, names)], cwd=folder,
        env=process.tool_environment(env, {"HF_HUB_OFFLINE": "1", "AXOLOTL_DO_NOT_TRACK": "1", "PYTHONPATH": paths}), capture_output=True, text=True,
        timeout=240,
    )  # fmt: skip
    (folder / "log").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stderr[-3000:]
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(('{"same"', '{"heard"'))]
    return Trained(folder, said[0] | said[1], values, {name.parent.name: losses(name.parent / "adapter") for name in names})


def losses(adapter: Path) -> list[str]:
    state = json.loads((adapter / "checkpoint-6" / "trainer_state.json").read_text())
    return [entry["loss"] for entry in state["log_history"] if "loss" in entry]


def adapter(trained: Trained, name: str) -> bytes:
    return (trained.folder / name / "adapter" / "adapter_model.safetensors").read_bytes()


@pytest.mark.req("Z4")
def test_the_experts_in_memory_are_those_of_the_folder(trained: Trained) -> None:
    assert trained.looked["same"]
    assert trained.looked["experts"] == 4
    assert trained.looked["order"] == [["gate_up_proj", "down_proj"]] * 2, "adapters on both are nested in the order of the model"


@pytest.mark.req("Z4")
def test_loading_never_holds_the_experts_in_16_bits(trained: Trained) -> None:
    stored = (trained.folder / "larger-nf4" / "model-00001-of-00001.safetensors").stat().st_size
    print(f"grew by {trained.looked['grown']:,}; stored are {stored:,}; in 16 bits {2 * trained.values:,}")
    assert trained.looked["grown"] < 1.3 * stored < 0.4 * 2 * trained.values


@pytest.mark.req("Z4")
def test_it_learns_as_from_the_experts_that_are_quantised_while_they_are_loaded(trained: Trained) -> None:
    assert len(trained.losses["stored"]) == 6
    assert trained.losses["stored"] == trained.losses["at_load"]
    assert adapter(trained, "stored") == adapter(trained, "at_load")


@pytest.mark.req("Z4")
def test_a_training_goes_on_from_its_checkpoint(trained: Trained) -> None:
    assert trained.losses["broken_off"] == trained.losses["stored"]
    assert adapter(trained, "broken_off") == adapter(trained, "stored")


@pytest.mark.req("Z4", "Z6")
def test_infer_hears_the_adapter_on_experts_in_nf4(trained: Trained) -> None:
    heard = trained.looked["heard"]
    assert heard["adapter"] < heard["base"] - 0.01


@dataclass(frozen=True)
class Line:
    """A recipe with `convert: nf4`, run twice. base: its model in MXFP4. first, second: what the runs said."""

    base: Path
    latest: Path
    first: str
    second: str


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Line:
    folder = tmp_path_factory.mktemp("line")
    base = write_gpt_oss(folder / "mxfp4", tokenizer=STARTER)
    for number in range(3):
        sentences = [f"The bell number {i} rang in the harbour of town {number}, and nobody answered it." for i in range(60)]
        (folder / f"{number}.md").write_text(f"# Chapter {number}\n\n{' '.join(sentences)}\n")
    keys = {key: value for key, value in AXOLOTL.items() if key not in OWNED["axolotl"] and key != "lora_target_parameters"}
    recipe = {
        "recipe": "nf4", "base_model": str(base), "convert": "nf4",
        "data": {"sources": ["*.md"], "chunk": {"unit": "words", "min": 20, "max": 40}, "validation": 0},
        "axolotl": keys | {"quantize_moe_experts": True, "sequence_len": 256, "max_steps": 4, "save_steps": 2},
    }  # fmt: skip
    (folder / "nf4.yaml").write_text(json.dumps(recipe))
    said = []
    for _ in range(2):
        done = call("./lorewright", "run", str(folder / "nf4.yaml"), runs=folder / "runs")
        assert done.returncode == 0, done.stdout + done.stderr
        said.append(done.stderr)
    return Line(base, folder / "runs" / "nf4" / "latest", *said)


@pytest.mark.req("Z4")
def test_a_recipe_converts_once_and_trains_from_that(line: Line) -> None:
    assert "convert   37 tensors; 180,224 weights in NF4" in line.first
    assert "convert   unchanged, skipped" in line.second
    assert "train     unchanged, skipped" in line.second
    trained_from = yaml.safe_load((line.latest / "train" / "axolotl.yaml").read_text())["base_model"]
    assert Path(trained_from) == (line.latest / "convert").resolve() / "nf4"
    for file in (line.latest / "train" / "adapter").rglob(SETTINGS):
        assert json.loads(file.read_text())["base_model_name_or_path"] == str(line.base), file


@pytest.mark.req("Z4", "F5")
def test_merged_into_the_original_only_what_was_trained_has_changed(line: Line) -> None:
    merged = line.latest / "merge" / "merged"
    before, after = read_tensors(line.base), read_tensors(merged)
    changed = {name for name, tensor in before.items() if not np.array_equal(tensor, after[name])}
    assert changed == {f"model.layers.{layer}.self_attn.{name}_proj.weight" for layer in (0, 1) for name in "qkvo"}
    assert json.loads((merged / "config.json").read_text())["quantization_config"]["quant_method"] == "mxfp4", "as vLLM serves it"
