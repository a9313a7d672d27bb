"""A training that was cut off ends as the one that was not: real Axolotl, the starter model, with dropout, over an epoch's border.

Two trainings of one recipe are the same to the last bit on a machine at rest. Under load threads may share a sum out otherwise, which was
seen to move a loss by 3e-6 of it; another order of samples, another dropout or a lost moment of the optimizer moves it by far more than NOISE.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from lorewright import envs, process
from lorewright.training.plugins import with_plugins
from lorewright.training.render import ON_CPU, to_yaml
from tests.conftest import REPO

pytestmark = pytest.mark.real
NOISE = 5e-4
RECIPE = {
    "recipe": "equal", "base_model": str(REPO / "models" / "starter"),
    "data": {
        "sources": [str(REPO / "fine-tuning" / "data" / "raw")], "format": "passages", "chunk": {"unit": "tokens", "min": 20, "max": 60},
        "max_samples": 26, "system_prompt": "You write.", "validation": 0.25,
    },
    "axolotl": {
        "adapter": "lora", "lora_r": 16, "lora_alpha": 32, "lora_dropout": 0.1, "lora_target_linear": True, "sequence_len": 128,
        "micro_batch_size": 2, "num_epochs": 2, "optimizer": "adamw_torch", "lr_scheduler": "cosine", "learning_rate": 2e-3, "warmup_steps": 2,
        "logging_steps": 1, "evals_per_epoch": 1, "save_steps": 2, "save_total_limit": 2, "seed": 42,
    },
}  # fmt: skip


def start(recipe: Path, runs: Path) -> subprocess.Popen[str]:
    settings = os.environ | {"LOREWRIGHT_RUNS": str(runs), "LOREWRIGHT_ACCELERATOR": "cpu"}
    command = ["./lorewright", "run", str(recipe), "--only", "prepare", "--only", "train"]
    return subprocess.Popen(command, cwd=REPO, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def kill_at(step: int, run: subprocess.Popen[str], runs: Path) -> None:
    """Kills runner and trainer as soon as the checkpoint of that step is begun: it may be whole or not."""
    deadline = time.monotonic() + 200
    while not list(runs.glob(f"equal/train/*.partial/adapter/checkpoint-{step}/optimizer.pt")):
        assert run.poll() is None, run.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    trainer = json.loads(next(runs.glob("equal/train/*.partial/.process.json")).read_text())["pid"]
    run.kill()
    os.killpg(trainer, signal.SIGKILL)
    run.communicate()


def ended(run: subprocess.Popen[str]) -> str:
    shown, _ = run.communicate(timeout=250)
    assert run.returncode == 0, shown
    return shown


def result(runs: Path) -> Path:
    return (runs / "equal" / "latest" / "train").resolve()


def losses(runs: Path) -> dict[tuple[float, str], float]:
    points = [json.loads(line) for line in (result(runs) / "points.jsonl").read_text().splitlines()]
    return {(point["epoch"], key): point[key] for point in points for key in ("loss", "eval_loss", "grad_norm") if key in point}


@pytest.mark.req("F4")
@pytest.mark.parametrize("kills", [1, pytest.param(2, marks=pytest.mark.long)])
def test_killed_at_any_step_it_ends_with_the_same_weights(tmp_path: Path, kills: int) -> None:
    from safetensors.torch import load_file

    recipe, whole, killed = tmp_path / "equal.yaml", tmp_path / "whole", tmp_path / "killed"
    recipe.write_text(yaml.safe_dump(RECIPE))
    ended(start(recipe, whole))
    steps = [random.choice(range(4, 9, 2)), random.choice(range(12, 17, 2))][:kills]
    for step in steps:
        kill_at(step, start(recipe, killed), killed)
    assert "train     goes on from step " in ended(start(recipe, killed))
    curve, found = losses(whole), losses(killed)  # the second with an evaluation more: each start begins with one
    assert len(curve) > 36
    assert {key: found[key] for key in curve} == pytest.approx(curve, rel=NOISE), f"killed at {steps}"
    weights, again = (load_file(result(runs) / "adapter" / "adapter_model.safetensors") for runs in (whole, killed))
    assert all((value - again[name]).norm() <= 10 * NOISE * value.norm() for name, value in weights.items()), f"killed at {steps}"


def packed(folder: Path, rows: list[str], plugin: bool = True) -> None:
    """Trains with packed samples. That is for cards, but the order is the same on a processor."""
    (folder / "rows.jsonl").write_text("\n".join(rows))
    own = {
        "base_model": RECIPE["base_model"], "chat_template": "tokenizer_default", "output_dir": "adapter", "dataset_prepared_path": "prepared",
        "datasets": [{"path": "rows.jsonl", "ds_type": "json", "type": "chat_template", "field_messages": "messages"}],
        "auto_resume_from_checkpoints": True, "sample_packing": True, "save_steps": 3, "save_total_limit": 99,
    }  # fmt: skip
    config = {key: value for key, value in RECIPE["axolotl"].items() if key != "evals_per_epoch"} | ON_CPU | own
    text = to_yaml(with_plugins(config, folder) if plugin else config, "")
    (folder / "axolotl.yaml").write_text(text)
    environment = process.tool_environment(envs.locate("train"), {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2"})
    command = [str(envs.locate("train").path / "bin" / "axolotl"), "train", "axolotl.yaml"]
    process.run(command, environment=environment, log=folder / "log", folder=folder)


def trained(folder: Path) -> list[float]:
    newest = max((folder / "adapter").glob("checkpoint-*"), key=lambda path: int(path.name[11:]))
    return [point["loss"] for point in json.loads((newest / "trainer_state.json").read_text())["log_history"] if "loss" in point]


@pytest.mark.req("F4")
def test_packed_samples_keep_their_order(tmp_path: Path) -> None:
    draw = random.Random(3)
    words = (REPO / "fine-tuning" / "data" / "raw" / "08_one_short.md").read_text().split()
    rows = []
    for _ in range(32):
        at = draw.randrange(len(words) - 60)
        said = " ".join(words[at : at + draw.randint(5, 60)])
        rows.append(json.dumps({"messages": [{"role": "user", "content": "Write."}, {"role": "assistant", "content": said}]}))
    for name in ("whole", "again"):
        (tmp_path / name).mkdir()
    packed(tmp_path / "whole", rows)
    shutil.copytree(tmp_path / "whole" / "adapter" / "checkpoint-3", tmp_path / "again" / "adapter" / "checkpoint-3")
    packed(tmp_path / "again", rows)
    assert "packed_order.SameOrder" in (tmp_path / "again" / "axolotl.yaml").read_text()
    assert len(trained(tmp_path / "whole")) > 6
    assert trained(tmp_path / "again") == pytest.approx(trained(tmp_path / "whole"), rel=NOISE)


@pytest.mark.long
@pytest.mark.req("F4")
def test_from_a_full_disk_over_an_interruption_to_the_end(tmp_path: Path) -> None:
    """Two checkpoints of 10.5 MiB fit, the third does not."""
    recipe, runs = tmp_path / "equal.yaml", tmp_path / "runs"
    recipe.write_text(yaml.safe_dump(RECIPE))
    runs.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=28m", "tmpfs", str(runs)], capture_output=True).returncode:
        pytest.skip("a disk of its own needs the right to mount one")
    try:
        full = start(recipe, runs)
        shown, _ = full.communicate(timeout=250)
        assert full.returncode == 1, shown
        said = shown.splitlines()[-1]
        assert re.search(
            r"partial: the disk is full: a checkpoint takes 11 MiB, \d+ MiB are free; make \d+ MiB of room there and run", said
        ), shown
        assert said.endswith("the same command: training goes on from step 4"), said
        subprocess.run(["mount", "-o", "remount,size=200m", str(runs)], check=True)
        stopped = start(recipe, runs)
        points = next(runs.glob("equal/train/*.partial")) / "points.jsonl"
        while not re.search(r'"step": (7|8|9)', points.read_text()):
            assert stopped.poll() is None, stopped.communicate()[0]
            time.sleep(0.01)
        stopped.send_signal(signal.SIGINT)
        shown, _ = stopped.communicate(timeout=100)
        assert stopped.returncode == 130, shown
        step = int(re.findall(r"train     stopped; it goes on from step (\d+)", shown)[0])
        assert "train     goes on from step 4" in shown and step >= 7
        assert f"train     goes on from step {step}" in ended(start(recipe, runs))
        times = [when for when, key in losses(runs) if key == "loss"]
        assert times == [float(f"{step / 10:.4g}") for step in range(1, 20)], "every step is in the curve once"
    finally:
        subprocess.run(["umount", "-l", str(runs)], capture_output=True)
