"""Real Axolotl in two processes that share each step's examples (torchrun, gloo, no card): the same training as in one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lorewright import envs, process
from lorewright.manifest import write_whole
from lorewright.recipe import load
from lorewright.training.launch import FILE, Launcher
from lorewright.training.progress import Progress
from lorewright.training.render import axolotl_config, to_yaml
from lorewright.training.several import for_each
from tests.conftest import REPO

pytestmark = pytest.mark.real
STEPS = 4
PLUGIN = REPO / "benchmarks" / "on_processor.py"


def configuration(recipe: Path) -> dict[str, Any]:
    config, _ = axolotl_config(load(recipe), training="rows.jsonl", validation=None, accelerator="cpu")
    return config | {"plugins": ["on_processor.OnProcessor"]}


def train(folder: Path, config: dict[str, Any], processes: int) -> list[float]:
    """The losses of the steps that this run made."""
    env = envs.ensure("train")
    launcher = Launcher("torchrun" if processes > 1 else "accelerate", processes)
    write_whole(folder / FILE, to_yaml(for_each(config, processes), ""))
    progress = Progress()

    def on_line(line: str) -> None:
        progress.read(line)

    variables = launcher.variables(2) | {"HF_HUB_OFFLINE": "1"} | ({"ACCELERATE_USE_CPU": "true"} if processes > 1 else {})
    command = launcher.command(env.path / "bin", 0)
    process.run(command, environment=process.tool_environment(env, variables), log=folder / "log", folder=folder, on_line=on_line)
    return [point["loss"] for point in progress.points if "loss" in point]


@pytest.mark.long  # three minutes on two cores
@pytest.mark.req("F4")
def test_two_processes_train_what_one_does_and_one_goes_on_from_their_checkpoint(make_recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    axolotl = {
        "adapter": "lora", "lora_r": 8, "lora_alpha": 16, "lora_target_linear": True, "sequence_len": 256, "micro_batch_size": 2,
        "gradient_accumulation_steps": 4, "max_steps": STEPS, "learning_rate": 0.002, "lr_scheduler": "cosine", "warmup_steps": 1,
        "optimizer": "adamw_torch", "logging_steps": 1, "save_steps": 2, "num_epochs": 2, "seed": 42,
    }  # fmt: skip
    config = configuration(make_recipe(axolotl=axolotl, base_model=str(REPO / "models" / "starter")))
    bell = [f"The bell rang {number} times, and {'nobody' if number % 3 else 'the deputy'} answered. " * 4 for number in range(64)]
    rows = [{"messages": [{"role": "user", "content": "Go on."}, {"role": "assistant", "content": text}]} for text in bell]
    for name in ("first", "one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(PLUGIN, tmp_path / name)
        (tmp_path / name / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    # An adapter begins with random numbers that Axolotl draws before it sets the seed: both begin with the same one.
    train(tmp_path / "first", config | {"max_steps": 2}, 1)
    config |= {"lora_model_dir": str(tmp_path / "first" / "adapter")}
    one, two = train(tmp_path / "one", config, 1), train(tmp_path / "two", config, 2)
    assert len(one) == STEPS and one[-1] < one[0] * 0.7, "much is learnt, so that equal losses mean equal steps"
    assert two == pytest.approx(one, rel=2e-3), "the log rounds to four digits"
    shutil.rmtree(tmp_path / "two" / "adapter" / f"checkpoint-{STEPS}")
    assert train(tmp_path / "two", config, 1) == pytest.approx(one[2:], rel=2e-3), "one process goes on where two have been"
