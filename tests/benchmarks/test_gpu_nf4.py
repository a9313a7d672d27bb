"""The bench of NF4 beside MXFP4: what it tells of two trainings, and its whole flow with a tiny model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import REPO

BENCHMARKS = REPO / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu_nf4

    return gpu_nf4  # type: ignore[no-any-return]


def test_losses_stand_side_by_side_and_their_gap_is_told(bench: ModuleType) -> None:
    found = {"stored": {"losses": [2.0, 1.5]}, "at_load": {"losses": [2.01, 1.5]}, "stored_again": {"failed": "out of memory"}}
    assert bench.apart(found) == {"at_load_most": pytest.approx(0.01), "at_load_mean": pytest.approx(0.005)}
    assert bench.side_by_side(found).splitlines() == [
        "| step | stored | at_load |",
        "|---|---|---|",
        "| 1 | 2.0000 | 2.0100 |",
        "| 2 | 1.5000 | 1.5000 |",
    ]


@pytest.mark.real
@pytest.mark.long
@pytest.mark.req("Z4")
def test_it_measures_a_tiny_model(tmp_path: Path) -> None:
    words = [sys.executable, str(BENCHMARKS / "gpu_nf4.py"), "--tiny", "--write", str(tmp_path / "out.json")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=REPO)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["apart"]["by_chance_most"] == 0
    assert found["stored"]["loading"]["seconds"] < 5
