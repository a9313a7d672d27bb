"""Every recipe, and what it becomes where memory runs out, is a configuration that Axolotl itself takes on a card."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lorewright import envs, process
from lorewright.recipe import Recipe, load
from lorewright.training.ladder import Situation, Taken, applied, next_step
from lorewright.training.plugins import with_plugins
from lorewright.training.render import axolotl_config
from tests.conftest import REPO

pytestmark = pytest.mark.real
RECIPES = sorted(file for file in (REPO / "configs").glob("*.yaml"))
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from axolotl.cli.config import prepare_plugins, validate_config
from axolotl.utils.dict import DictDefault

refused = {}
for name, config in json.load(sys.stdin).items():
    cfg = DictDefault(config)
    card = {"bf16": True, "tf32": True, "fp8": True, "n_gpu": 2 if cfg.fsdp_config else 1, "n_node": 1, "compute_capability": "sm_90"}
    try:
        prepare_plugins(cfg)
        validate_config(cfg, capabilities=card, env_capabilities={"torch_version": "2.13.0"})
    except Exception as problem:
        refused[name] = str(problem)
print(json.dumps(refused))
"""


def rungs(recipe: Recipe, config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What a training that always runs out of memory becomes, step by step."""
    found, taken = {"as it is": config}, ()
    while isinstance(step := next_step(Situation(applied(config, taken), "training", taken), recipe.train.on_out_of_memory, 0), Taken):
        taken = (*taken, step)
        found[" > ".join(one.step for one in taken)] = applied(config, taken)
    return found


@pytest.mark.req("F4", "P6", "S3")
def test_axolotl_takes_every_recipe_and_every_step_of_its_list(tmp_path: Path) -> None:
    configs = {}
    for file in RECIPES:
        recipe = load(file)
        config, _ = axolotl_config(recipe, training="training.jsonl", validation="validation.jsonl", accelerator="cuda")
        configs |= {f"{recipe.name}: {steps}": with_plugins(found, tmp_path) for steps, found in rungs(recipe, config).items()}
    assert len(configs) > 3 * len(RECIPES)
    env = envs.ensure("train")
    done = subprocess.run(
        [str(env.python), "-c", PROGRAM, str(tmp_path)], input=json.dumps(configs), capture_output=True, text=True, cwd=tmp_path,
        env=process.tool_environment(env, {"HF_HUB_OFFLINE": "1"}),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {}
