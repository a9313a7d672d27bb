"""The gate in the quickstart's own run, on the starter: what was merged and what vLLM serves is what was trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.line.conftest import Line, call, overrides

pytestmark = [pytest.mark.real, pytest.mark.req("F5", "F6")]


@pytest.mark.parametrize(("stage", "side", "most"), [("parity", "merged", 0.0005), ("parity_served", "served", 0.002)])
def test_the_quickstarts_models_are_what_was_trained(line: Line, stage: str, side: str, most: float) -> None:
    record = json.loads((line.latest(stage) / "step.json").read_text())
    facts = record["facts"][side]
    assert facts["held"] and facts["kl"] < most and facts["top1"] > 0.99, facts
    assert facts["share"]["there"] == pytest.approx(1.0, abs=0.02) and facts["share"]["moved"] > 0.05
    assert facts["end"]["text"] == "<|im_end|>" and facts["end"]["stops"] is (True if side == "served" else None)
    assert record["seconds"] < 30
    assert f"parity    {side}  6 of 6" in line.first


def test_the_verb_finds_the_running_server(served: Line) -> None:
    done = call("./lorewright", "parity", "configs/starter.yaml", *overrides(served.ports), runs=served.runs)
    assert done.returncode == 0, done.stderr
    assert "parity_served unchanged, skipped: served as trained" in done.stderr
    assert done.stdout.split()[-1].endswith("latest/parity_served/report.html")


def test_the_base_model_in_the_merged_ones_place_is_caught_as_served(served: Line, repo: Path, tmp_path: Path) -> None:
    """The same server, looked at by one who has trained something else: it is not what that one has trained."""
    from lorewright.models.parity.compare import Bound, compare
    from lorewright.models.parity.ends import End
    from lorewright.models.parity.judged import Side

    before, after = served.latest("parity"), served.latest("parity_served")
    verdict = compare(before / "base.jsonl", after / "served.jsonl", Bound(0.01, 0.97))
    fault = Side("served", verdict, End(-1, "")).fault
    assert fault and fault.step == "serve" and verdict.kl and verdict.kl > 0.05
