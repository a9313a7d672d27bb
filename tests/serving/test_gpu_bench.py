"""The serving benchmark: its arithmetic, and the whole of it with a tiny shape on this processor."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import REPO

FILE = REPO / "benchmarks" / "gpu_serving.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_serving", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu_serving"] = module
    spec.loader.exec_module(module)
    return module


def test_the_8b_shape_is_llamas(bench: ModuleType) -> None:
    shape = bench.SHAPES["8b"]
    assert shape.parameters == 8_030_261_248
    assert shape.bytes_read(61440) - shape.bytes_read(0) == 61440 * 128 * 1024, "128 KiB of cache a token"
    assert round(4.3e12 / shape.bytes_read(1024)) == 284, "tokens a second at most, with the bandwidth of an H200"
    assert shape.bytes_read(0, weight=1) * 2 == shape.bytes_read(0)


@pytest.mark.real
@pytest.mark.long
def test_it_measures_a_tiny_shape(tmp_path: Path) -> None:
    words = [sys.executable, str(FILE), "--shape", "tiny", "--times", "1", "--parts", "proxy", "ngram", "--write", str(tmp_path / "out.md")]
    done = subprocess.run(words, env=os.environ | {"LOREWRIGHT_ACCELERATOR": "cpu"}, capture_output=True, text=True)
    assert (tmp_path / "out.md").exists(), done.stderr
    rows = [line.split(" | ")[0] for line in (tmp_path / "out.md").read_text().splitlines() if line.startswith("| ")]
    assert rows == [
        "| what", "| memory", "| one stream at 256 tokens", "| one stream at 1,024 tokens", "| 9 streams", "| conversation of 6 turns, direct",
        "| the same through the proxy, lore off", "| the same through the proxy with lore",
        "| guesses from the text itself, where all repeats", "| guesses from the text itself, where nothing does",
    ]  # fmt: skip
