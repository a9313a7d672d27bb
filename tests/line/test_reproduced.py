"""A run made again by real Axolotl on a processor has the same weights to the last bit; with a changed manuscript it is not begun."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPO
from tests.line.test_resumed_equal import RECIPE

pytestmark = pytest.mark.real


def test_a_training_made_again_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    recipe, text = copy.deepcopy(RECIPE) | {"recipe": "again"}, tmp_path / "08_one_short.md"
    shutil.copyfile(REPO / "fine-tuning" / "data" / "raw" / text.name, text)
    recipe["data"] |= {"sources": [text.name], "max_samples": 8}  # type: ignore[operator]
    recipe["axolotl"] |= {"num_epochs": 1}  # type: ignore[operator]
    (tmp_path / "again.yaml").write_text(yaml.safe_dump(recipe))
    settings = os.environ | {"LOREWRIGHT_RUNS": str(tmp_path / "runs"), "LOREWRIGHT_ACCELERATOR": "cpu"}

    def verb(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["./lorewright", *words], cwd=REPO, env=settings, capture_output=True, text=True, timeout=300)

    made = verb("run", str(tmp_path / "again.yaml"), "--only", "prepare", "--only", "train")
    assert made.returncode == 0, made.stderr
    again = verb("reproduce", "again", "--json")
    assert again.returncode == 0, again.stderr
    verdict = json.loads(again.stdout)
    assert verdict["said"] == "reproduced, bit for bit"
    assert [check["stage"] for check in verdict["checks"]] == ["extract", "prepare", "ledger", "train"]
    weights = {file.read_bytes() for file in (tmp_path / "runs").rglob("adapter/adapter_model.safetensors")}
    assert len(weights) == 1
    text.write_text(text.read_text() + "\nOne line more.\n")
    stopped = verb("reproduce", "again")
    assert stopped.returncode == 1 and "08_one_short.md has changed: " in stopped.stderr, stopped.stderr
