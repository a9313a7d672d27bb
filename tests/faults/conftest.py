"""A recipe's services with the stand-in for vLLM, or with its CPU build where LOREWRIGHT_FAULTS_VLLM is `real`."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lorewright import envs
from tests.conftest import FAKES, fake_model, free_port
from tests.faults.desk import Desk

REAL = os.environ.get("LOREWRIGHT_FAULTS_VLLM") == "real"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    monkeypatch.setenv("LOREWRIGHT_ACCELERATOR", "cpu")
    core = envs.ensure("core")
    if REAL:
        envs.ensure("serve")
        model = request.getfixturevalue("tiny_model")
    else:
        model = fake_model(tmp_path)
        monkeypatch.setenv("FAKE_CALLS", str(tmp_path / "calls.jsonl"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        python = envs.locate("serve").path / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f"#!{sys.executable}\n" + (FAKES / "vllm.py").read_text())
        python.chmod(python.stat().st_mode | stat.S_IXUSR)
        envs.locate("core").path.symlink_to(core.path)
    ports = free_port(), free_port()
    recipe = {
        "recipe": "faults", "questions": ["What does Quillon do? Then count from 3 in 4 steps."], "base_model": str(model), "vllm": {"max_model_len": 2048, "max_num_seqs": 4},
        "serve": {"port": ports[0], "start_timeout": 300}, "rag": {"collection": "world", "sources": ["lore"], "port": ports[1], "top_k": 3},
    }  # fmt: skip
    file = tmp_path / "faults.yaml"
    file.write_text(yaml.safe_dump(recipe))
    desk = Desk(file, tmp_path / "runs", ports)
    yield desk
    desk.lorewright("stop", right=False)
