"""The bench of one card beside two: what it compares, and its whole flow with a tiny model in two processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import REPO

BENCHMARKS = REPO / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu_two

    return gpu_two  # type: ignore[no-any-return]


def test_its_cases_are_recipes_and_settings_that_are_shipped(bench: ModuleType) -> None:
    for case in bench.CASES.values():
        for name in filter(None, (case.recipe, case.shared)):
            assert (REPO / "configs" / f"{name}.yaml").is_file()
        assert not case.zero or (REPO / "configs" / "deepspeed" / f"{case.zero}.json").is_file()


def test_a_ratio_below_the_goal_is_missed(bench: ModuleType) -> None:
    def found(ratio: float) -> dict[str, Any]:
        one = {"peak_reserved_gib": 9.97, "tokens_per_second": 10_000.0}
        return {"one": one, "two": one | {"tokens_per_second": ratio * 10_000}, "ratio": ratio}

    assert bench.row("qlora", found(1.93), tiny=False) == "| qlora | 9.97 | 9.97 | 10,000 | 19,300 | 1.93 |"
    assert bench.row("qlora", found(1.5), tiny=False).endswith("| 1.50 (≥ 1.9: MISSED) |")
    assert "MISSED" not in bench.row("fsdp2", found(1.5), tiny=False), "what is shared out has no goal"


@pytest.mark.real
@pytest.mark.long
def test_it_measures_a_tiny_model_in_two_processes(tmp_path: Path) -> None:
    words = [sys.executable, str(BENCHMARKS / "gpu_two.py"), "qlora", "--tiny", "--write", str(tmp_path / "out.json")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=REPO)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "out.json").read_text())["qlora"]
    assert found["one"]["tokens_per_step"] == found["two"]["tokens_per_step"], "a step has the same examples on both"
    assert abs(found["one"]["last_loss"] - found["two"]["last_loss"]) < 0.02
