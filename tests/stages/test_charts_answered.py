"""The shipped chart recipe's data part, offline: charts cast, questions answered by a scripted server, readings in pieces."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lorewright.stages import Run
from lorewright.stages.prepare import prepare
from tests.data.augment.conftest import Served, serve  # noqa: F401 (a fixture)

READING = "The emperor stands in the palace of the soul, and the general in that of the career. " * 120


@pytest.mark.req("Z1", "Z2", "Z3", "Z5")
@pytest.mark.real
def test_the_chart_recipe_prepares_its_set(
    serve: Callable[..., Served],  # noqa: F811
    run_of: Callable[..., Run],
    tiny_model: Path,
    repo: Path,
    tmp_path: Path,
) -> None:
    served = serve(lambda body: READING)
    overrides = (f"base_model={tiny_model}", "data.charts.count=5", f"data.augment.base_url={served.url}", "data.pairs.max_tokens=4096", "axolotl.sequence_len=4096", "data.charts.languages=[en]")  # fmt: skip
    run = run_of(repo / "configs/ziwei_gpt_oss_nf4.yaml", *overrides)
    run.work = tmp_path / "work"
    facts: dict[str, Any] = prepare(run.plan.step("prepare"), run)
    assert (facts["rows"], facts["left_out"]) == (5, 0)
    lines = [
        json.loads(line) for name in ("training", "validation") for line in (run.work / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]
    readings: dict[int, str] = {}
    for line in lines:
        trained = "".join(part["text"] for part in line["segments"] if part["label"])
        readings[line["row"]] = readings.get(line["row"], "") + trained.removesuffix("<|im_end|>")
    assert list(readings.values()) == [READING.strip()] * 5
    assert sum(served.chat.well.values()) == 5
    again = prepare(run.plan.step("prepare"), run)
    assert again == facts
    assert sum(served.chat.well.values()) == 5, "what was answered is not asked again"
