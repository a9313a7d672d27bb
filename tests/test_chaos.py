"""Random kill -9 of the runner: the work goes forward, and what stands at the end verifies by its records."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lorewright.manifest import Hashes, digest, read_json
from tests.conftest import REPO, MakeRecipe


@pytest.mark.parametrize("kills", [8, pytest.param(120, marks=pytest.mark.long)])
def test_killed_at_random_moments_nothing_finished_is_lost(kills: int, make_recipe: MakeRecipe, fake_tools: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lorewright.cli", "run", str(make_recipe()), "--runs", str(tmp_path / "runs")]
    settings = os.environ | {"PYTHONPATH": str(REPO / "src")}
    draw, home, finished = random.Random(7), tmp_path / "runs" / "small", set[Path]()
    for _ in range(kills):
        runner = subprocess.Popen(command, env=settings, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        time.sleep(draw.uniform(0.1, 0.8))
        runner.send_signal(signal.SIGKILL)
        runner.communicate()
        whole = {record.parent for record in home.glob("*/*/step.json") if ".partial" not in str(record)}
        assert finished <= whole, "a finished stage was lost"
        finished = whole
    done = subprocess.run(command, env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    hashes = Hashes.open(tmp_path / "fresh.json")
    records = [folder / "step.json" for folder in (home / "latest").iterdir() if (folder / "step.json").exists()]
    assert {file.parent.name for file in records} == {"extract", "prepare", "ledger", "train", "merge"}
    for file in records:
        record = read_json(file)
        outputs = {name: hashes.file(file.parent / name) for name in record["outputs"]}
        assert outputs == record["outputs"]
        assert digest(outputs) == record["digest"]
    assert not list(home.glob("*/*.partial"))
