"""The plugin that puts Liger's kernels where Axolotl loses them: real Axolotl, PEFT and transformers, on a processor."""

from __future__ import annotations

import json
import subprocess

import pytest

from lorewright import envs, process
from tests.conftest import REPO

pytestmark = pytest.mark.real
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from fused_throughout import FusedThroughout
from axolotl.monkeypatch import lora_kernels
from axolotl.utils.dict import DictDefault
from liger_kernel.transformers import apply_liger_kernel_to_llama
from transformers import AutoTokenizer, LlamaForCausalLM, Trainer, TrainingArguments
from transformers.models.llama import modeling_llama
from peft import LoraConfig, get_peft_model

told = {}
cfg = DictDefault({"base_model": sys.argv[2], "model_config_type": "llama", "liger_rope": True, "liger_fused_linear_cross_entropy": True})
attention = modeling_llama.LlamaAttention.forward
lora_kernels.patch_self_attn_lora(cfg)
apply_liger_kernel_to_llama(rope=True, rms_norm=False, swiglu=False, cross_entropy=False, fused_linear_cross_entropy=False)
rotation = modeling_llama.apply_rotary_pos_emb
told["axolotl alone"] = modeling_llama.LlamaAttention.forward.__globals__["apply_rotary_pos_emb"] is rotation
FusedThroughout().pre_model_load(cfg)
told["with the plugin"] = modeling_llama.LlamaAttention.forward.__globals__["apply_rotary_pos_emb"] is rotation
modeling_llama.LlamaAttention.forward = attention  # Liger's rotation runs on a card alone
modeling_llama.apply_rotary_pos_emb = attention.__globals__["apply_rotary_pos_emb"] = lambda q, k, *_, **__: (q, k)

asked = []
class Fused(LlamaForCausalLM):
    def forward(self, input_ids=None, attention_mask=None, labels=None, skip_logits=None, **more):
        asked.append(skip_logits)
        return super().forward(input_ids=input_ids, attention_mask=attention_mask, labels=labels, **more)

def evaluated(model, plugin, metrics=None):
    asked.clear()
    ids = [5, 6, 7, 8]
    rows = [{"input_ids": ids, "attention_mask": [1] * 4, "labels": ids}] * 2
    told = TrainingArguments(output_dir=sys.argv[3], use_cpu=True, report_to=[])
    trainer = Trainer(model, told, eval_dataset=rows, compute_metrics=metrics)
    if plugin:
        FusedThroughout().post_trainer_create(cfg, trainer)
    assert trainer.evaluate()["eval_loss"] > 0
    return list(asked)

model = Fused.from_pretrained(sys.argv[2])
told["evaluation, plain"] = evaluated(model, False)
told["evaluation, with the plugin"] = evaluated(model, True)
told["evaluation, with metrics"] = evaluated(model, True, lambda _: {})
told["evaluation, other model"] = evaluated(LlamaForCausalLM.from_pretrained(sys.argv[2]), True)
told["evaluation, with an adapter"] = evaluated(get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"])), True)
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    env = envs.ensure("train")
    folder = tmp_path_factory.mktemp("plugin")
    words = [str(REPO / "src" / "lorewright" / "workers"), str(REPO / "models" / "starter"), str(folder)]
    environment = process.tool_environment(env, {"HF_HUB_OFFLINE": "1"})
    done = subprocess.run([str(env.python), "-c", PROGRAM, *words], env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.req("F1")
def test_the_fused_functions_of_axolotl_rotate_with_ligers_kernel(told: dict[str, object]) -> None:
    assert told["with the plugin"]
    assert not told["axolotl alone"], "Axolotl does so by itself now: the plugin can lose its first half"


@pytest.mark.req("F1")
def test_an_evaluation_takes_the_fused_loss_where_nothing_asks_for_scores(told: dict[str, object]) -> None:
    assert told["evaluation, plain"] == [None]
    assert told["evaluation, with the plugin"] == told["evaluation, with an adapter"] == [True]
    assert told["evaluation, with metrics"] == [None], "metrics are computed from the scores"
    assert told["evaluation, other model"] == [], "a model that does not know the word is left alone"
