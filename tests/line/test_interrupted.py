"""kill -9 of the runner while real Axolotl trains: nothing finished is lost, and the next run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lorewright.process import members
from tests.conftest import REPO

pytestmark = pytest.mark.real
COMMAND = ["./lorewright", "run", "configs/starter.yaml", "--only", "prepare", "--only", "train", "--set", "base_model=./models/tiny",
           "--set", "axolotl.saves_per_epoch=5", "--set", "axolotl.num_epochs=4", "--set", "axolotl.evals_per_epoch=1"]  # fmt: skip


def run(runs: Path) -> subprocess.Popen[str]:
    settings = os.environ | {"LOREWRIGHT_RUNS": str(runs), "LOREWRIGHT_ACCELERATOR": "cpu"}
    return subprocess.Popen(COMMAND, cwd=REPO, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.req("F4")
def test_killed_training_goes_on_from_its_checkpoint(tmp_path: Path, line: object) -> None:
    train = tmp_path / "starter" / "train"
    first = run(tmp_path)
    deadline = time.monotonic() + 120
    while not list(train.glob("*.partial/adapter/checkpoint-*/trainer_state.json")):
        assert first.poll() is None, first.communicate()[0]
        assert time.monotonic() < deadline, "no checkpoint within two minutes"
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    partial = next(train.glob("*.partial"))
    orphan = json.loads((partial / ".process.json").read_text())
    prepared = sorted((tmp_path / "starter" / "prepare").iterdir())
    assert len(prepared) == 1, "the finished stage is kept"
    second = run(tmp_path)
    shown, _ = second.communicate(timeout=300)
    assert second.returncode == 0, shown
    assert "prepare   unchanged, skipped" in shown
    assert "train     goes on from step " in shown
    assert members(orphan) == [], "the trainer that outlived its run was ended first"
    done = next(path for path in train.iterdir() if path.is_dir())
    facts = json.loads((done / "step.json").read_text())["facts"]
    assert facts["resumed_from_step"] > 0
    assert len(facts["loss_curve"]) == facts["steps"], "every step is in the curve once"
    figures = json.loads((done / "training.json").read_text())
    assert (figures["attempts"], figures["steps"]) == (2, facts["steps"])
    logged = [json.loads(line) for line in (done / "points.jsonl").read_text().splitlines()]
    assert max(point["tokens/total"] for point in logged if "loss" in point) < figures["tokens"], "Axolotl's own count begins anew"
    assert not partial.exists()
