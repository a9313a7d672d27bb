"""kill -9 while real Axolotl merges: nothing half is ever taken for a model, and the next run makes it whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lorewright.models.merge import check_whole
from lorewright.models.weights import weights_of
from lorewright.process import members
from tests.conftest import REPO

pytestmark = pytest.mark.real
TRAINED = ["--set", "base_model=./models/tiny", "--set", "axolotl.num_epochs=1", "--set", "axolotl.evals_per_epoch=2",
           "--set", "axolotl.saves_per_epoch=2", "--set", "axolotl.save_total_limit=4"]  # fmt: skip


def begin(runs: Path, *words: str) -> subprocess.Popen[str]:
    settings = os.environ | {"LOREWRIGHT_RUNS": str(runs), "LOREWRIGHT_ACCELERATOR": "cpu"}
    command = ["./lorewright", *words, *TRAINED]
    return subprocess.Popen(command, cwd=REPO, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def killed(runs: Path, when: Callable[[], object], *, with_tool: bool) -> None:
    """A merge that is killed as soon as `when` is true. with_tool: Axolotl is killed with it, as when the machine goes down."""
    child = begin(runs, "merge", "configs/starter.yaml")
    deadline = time.monotonic() + 90
    while not when():
        assert child.poll() is None, child.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.001)
    tool = json.loads(next(runs.glob("starter/merge/*.partial/.process.json")).read_text())
    child.send_signal(signal.SIGKILL)
    if with_tool:
        os.killpg(tool["pid"], signal.SIGKILL)
    child.communicate()


@pytest.mark.req("F5")
def test_a_killed_merge_leaves_nothing_half_and_the_next_makes_it_whole(tmp_path: Path, tiny_model: Path) -> None:
    train = begin(tmp_path, "run", "configs/starter.yaml", "--only", "prepare", "--only", "train")
    said, _ = train.communicate(timeout=300)
    assert train.returncode == 0, said
    merges = tmp_path / "starter" / "merge"
    killed(tmp_path, lambda: list(merges.glob("*.partial/.process.json")), with_tool=False)
    orphan = json.loads(next(merges.glob("*.partial/.process.json")).read_text())
    killed(tmp_path, lambda: list(merges.glob("*.partial/merged/model.safetensors")), with_tool=True)
    assert members(orphan) == [], "Axolotl that outlived its run was ended first"
    assert [path.suffix for path in merges.iterdir()] == [".partial"], "nothing is there under the name that says done"
    partial = next(merges.iterdir())
    weights = partial / "merged" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])  # half written, as another moment would have left it
    (partial / "merged" / "model-00009-of-00009.safetensors").write_text("left")
    last = begin(tmp_path, "merge", "configs/starter.yaml")
    said, _ = last.communicate(timeout=120)
    assert last.returncode == 0, said
    merged = tmp_path / "starter" / "latest" / "merge" / "merged"
    assert check_whole(merged, weights_of(tiny_model).shapes)["shards"] == 1
    assert not (merged / "model-00009-of-00009.safetensors").exists()
    best = begin(tmp_path, "merge", "configs/starter.yaml", "--checkpoint", "best")
    said, _ = best.communicate(timeout=120)
    assert best.returncode == 0 and "the best of those kept" in said, said
    assert len([path for path in merges.iterdir() if (path / "step.json").exists()]) == 2, "it lies beside the recipe's own"
