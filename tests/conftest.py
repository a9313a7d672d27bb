"""What many tests share: where the checkout is, a recipe maker, and environments whose tools are stand-ins."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import yaml

from lorewright import envs, process
from lorewright.plan import Paths, make_plan
from lorewright.progress import Console
from lorewright.recipe import load
from lorewright.stages import Run
from tests.warm import Warm
from tests.weights import write_model

# A shell starts what runs in its background with Ctrl-C switched off, and every process of a test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# machines are shared: a slow moment is no fault of the code
hypothesis.settings.register_profile("shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("shared")

REPO = Path(__file__).resolve().parents[1]
FAKES = Path(__file__).resolve().parent / "fakes"
MakeRecipe = Callable[..., Path]


@pytest.fixture
def repo() -> Path:
    return REPO


@pytest.fixture
def make_recipe(tmp_path: Path) -> MakeRecipe:
    """Writes a small recipe with its manuscripts; keyword arguments replace or (None) remove top-level keys."""

    def make(name: str = "small", **changes: object) -> Path:
        texts = tmp_path / "texts"
        texts.mkdir(exist_ok=True)
        (tmp_path / "lore").mkdir(exist_ok=True)
        for number in range(4):
            (texts / f"{number}.txt").write_text(
                f"Scene {number}. " + "The bell rang twice and nobody answered it. " * 30, encoding="utf-8"
            )
        values: dict[str, object] = {
            "recipe": name, "base_model": str(fake_model(tmp_path)), "data": {"sources": ["texts"], "chunk": {"unit": "words", "min": 20, "max": 80}},
            "axolotl": {"adapter": "lora", "lora_r": 8, "micro_batch_size": 1, "num_epochs": 1}, "serve": {"port": free_port(), "start_timeout": 20},
            "parity": {"check": False},  # the stand-ins' models cannot be asked anything
        }  # fmt: skip
        values.update(changes)
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump({key: value for key, value in values.items() if value is not None}), encoding="utf-8")
        return file

    return make


def fake_model(folder: Path) -> Path:
    """A folder that stands for a base model where no tool looks inside it."""
    return write_model(folder / "base")


@pytest.fixture
def fake_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """train and serve environments whose `axolotl` and vLLM are the stand-ins in tests/fakes; returns the file of their calls."""
    calls = tmp_path / "calls.jsonl"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOREWRIGHT_ACCELERATOR", "cpu")
    monkeypatch.setenv("FAKE_CALLS", str(calls))
    for name, tool in (("train", "axolotl"), ("serve", "python"), ("core", "python")):
        folder = envs.locate(name).path / "bin"
        folder.mkdir(parents=True)
        _executable(folder / "python", f"#!{sys.executable}\n" + (FAKES / "train_python.py").read_text())
        _executable(folder / tool, f"#!{sys.executable}\n" + (FAKES / f"{'vllm' if name == 'serve' else tool}.py").read_text())
    return calls


def _executable(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def run_of(tmp_path: Path) -> Callable[..., Run]:
    """A Run of a recipe file, its results under the test's own folder."""

    def make(file: Path, *overrides: str) -> Run:
        recipe = load(file, overrides)
        return Run(recipe, make_plan(recipe), Paths(tmp_path / "runs", recipe.name), Console())

    return make


SMI = """#!/bin/sh
here=$(dirname "$0")
if [ -f "$here/broken" ]; then cat "$here/broken"; exit 9; fi
case $1 in
  --query-gpu=*) cat "$here/gpus" ;;
  --query-compute-apps=gpu_uuid*) cat "$here/tenants" 2>/dev/null ;;
esac
"""


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One H200 whose nvidia-smi is a stand-in; its folder's files `gpus`, `tenants` and `broken` are what it says."""
    folder = stand_in_smi(SMI, tmp_path, monkeypatch)
    (folder / "gpus").write_text("0, GPU-aaaa, NVIDIA H200, 143771, 143161, 580.159.04, 9.0\n")
    return folder


def stand_in_smi(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, first in PATH, of a script that stands for nvidia-smi; all cards that it names are visible."""
    folder = tmp_path / "smi"
    folder.mkdir()
    _executable(folder / "nvidia-smi", script)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """The tiny base model with random weights, made where it is not there yet."""
    made = subprocess.run([sys.executable, str(REPO / "models" / "make_tiny.py")], check=True, capture_output=True, text=True)
    return Path(made.stdout.strip())


@pytest.fixture
def lorewright(tmp_path: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Runs the command line as a user does, in a process of its own."""

    def call(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        settings = os.environ | {"PYTHONPATH": str(REPO / "src"), "LOREWRIGHT_RUNS": str(tmp_path / "runs")} | variables
        return subprocess.run([sys.executable, "-m", "lorewright.cli", *words], env=settings, capture_output=True, text=True, cwd=REPO)

    yield call
    shutil.rmtree(tmp_path / "runs", ignore_errors=True)


@pytest.fixture(scope="session")
def warm_axolotl() -> Iterator[Warm]:
    """Real Axolotl in the train environment, loaded once for all tests that let it read a set."""
    env = envs.ensure("train")
    variables = process.tool_environment(env, {"HF_HUB_OFFLINE": "1", "AXOLOTL_IS_PREPROCESS": "1"})
    warm = Warm(str(env.python), ["axolotl.cli.config", "axolotl.loaders", "axolotl.common.datasets"], variables)
    yield warm
    warm.close()
