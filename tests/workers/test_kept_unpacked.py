"""The plugin that keeps a training in 4 bit on a processor a training: real bitsandbytes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from lorewright import envs, process
from tests.conftest import REPO

pytestmark = pytest.mark.real
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
import torch
from bitsandbytes.nn import Linear4bit, Params4bit
from kept_unpacked import KeptUnpacked

def gradients(plugin):
    torch.manual_seed(0)
    layer = Linear4bit(128, 128, bias=False, quant_type="nf4", compute_dtype=torch.float32)
    layer.weight = Params4bit(torch.randn(128, 128), requires_grad=False, quant_type="nf4").to("cpu")
    model, found = torch.nn.Sequential(layer), []
    if plugin:
        KeptUnpacked().post_model_load(None, model)
    for _ in range(2):
        given = torch.ones(4, 128, requires_grad=True)
        model.train()(given).sum().backward()
        found.append(0.0 if given.grad is None else given.grad.abs().sum().item())
        with torch.no_grad():
            model.eval()(torch.ones(4, 128))
    return found

packs = bool(getattr(Linear4bit(128, 128), "support_avx512bf16_for_cpu", False))
print(json.dumps({"packs": packs, "alone": gradients(False), "plugin": gradients(True)}))
"""


@pytest.mark.req("Z5")
def test_gradients_pass_4_bit_weights_after_an_evaluation_too(tmp_path: Path) -> None:
    env = envs.ensure("train")
    done = subprocess.run(
        [str(env.python), "-c", PROGRAM, str(REPO / "src" / "lorewright" / "workers")], cwd=tmp_path, capture_output=True, text=True,
        env=process.tool_environment(env, {"HF_HUB_OFFLINE": "1"}),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    before, after = found["plugin"]
    assert before == after > 100
    if found["packs"]:
        assert found["alone"][1] == 0, "bitsandbytes trains on after an evaluation now: the plugin can go"
