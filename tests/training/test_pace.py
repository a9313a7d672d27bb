"""Speed and time left, by points as Axolotl logs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lorewright.training import points as kept
from lorewright.training.pace import (
    TOKENS,
    how_often,
    intervals,
    seconds_left,
    seconds_of_steps,
    step_seconds,
    tokens_of_steps,
    tokens_per_second,
)
from lorewright.training.points import Point, curve, drawn, standing, whole_seconds


def steps(times: list[float], *, first: int = 1, attempt: int = 1, begun: int = 0, taken: int = 0, tokens: float = 1000) -> list[Point]:
    """Logged steps at these seconds."""
    about = {"attempt": float(attempt), "begun": float(begun), "taken": float(taken), "epoch": 0.0, "loss": 3.0}
    return [about | {"step": float(first + n), "at": at, TOKENS: tokens * (first + n)} for n, at in enumerate(times)]


def evaluation(step: float, at: float, runtime: float) -> Point:
    return {"step": step, "at": at, "eval_loss": 3.1, "eval_runtime": runtime, "epoch": 0.0, "attempt": 1.0, "begun": 0.0, "taken": 0.0}


def test_compilation_evaluations_and_checkpoints_do_not_slow_the_steps() -> None:
    logged = steps([60, 62, 64, 66, 90, 92, 120, 122])
    logged.insert(4, evaluation(4, 86, 20))
    logged[7]["saved"] = 1.0
    assert step_seconds(intervals(logged)) == 2
    assert tokens_per_second(intervals(logged)) == 500
    assert seconds_of_steps(logged) == 16, "all eight, the first and the disturbed ones at the others' pace"


def test_where_every_step_is_disturbed_the_evaluations_are_taken_out() -> None:
    logged = [steps([10])[0], evaluation(1, 15, 5), *steps([17], first=2), evaluation(2, 22, 5), *steps([24], first=3)]
    assert step_seconds(intervals(logged)) == 2


def test_time_left_counts_what_is_still_to_come() -> None:
    logged = steps([60, 62, 64, 66])
    logged.insert(3, evaluation(3, 64, 0.0))
    logged[3]["eval_runtime"] = 20.0
    assert seconds_left(steps([60]), 1, 100, {}) is None, "one step tells nothing"
    assert seconds_left(steps([60, 62, 64, 66]), 4, 100, {}) == 96 * 2
    with_evaluations = [*steps([60, 62]), evaluation(2, 82, 20), *steps([84, 86], first=3)]
    assert seconds_left(with_evaluations, 4, 8, {"eval_steps": 2}) == 4 * 2 + 2 * 20
    assert seconds_left(with_evaluations, 7, 8, {"eval_steps": 2}) == 1 * 2 + 1 * 20, "the last one is at the end"
    saved = steps([60, 62, 64, 71, 73])
    saved[3]["saved"] = 1.0
    assert seconds_left(saved, 5, 10, {"save_steps": 5}) == 5 * 2 + 1 * 5
    assert seconds_left(saved, 10, 10, {"save_steps": 5}) == 0


def test_the_pace_is_that_of_the_last_steps() -> None:
    slow = [10.0 * n for n in range(30)]
    assert step_seconds(intervals(steps([*slow, *(slow[-1] + n for n in range(1, 25))]))) == 1


@pytest.mark.parametrize(
    ("axolotl", "often"),
    [({}, 0), ({"evals_per_epoch": 2, "num_epochs": 3}, 6), ({"eval_steps": 10}, 10), ({"eval_steps": 0.25}, 4), ({"eval_strategy": "epoch", "num_epochs": 3}, 3)],
)  # fmt: skip
def test_evaluations_of_the_whole(axolotl: dict[str, float], often: float) -> None:
    assert how_often(axolotl, "eval", 100) == often


def test_what_was_done_twice_stands_once_and_was_paid_twice() -> None:
    first, second = steps([10, 12, 14, 16, 18]), steps([30, 32, 34], first=4, attempt=2, begun=3)
    for joules, point in enumerate([*first, *second], 1):
        point["joules"] = 100.0 * joules
    second[0]["loss"] = 2.5
    whole = [*first, *second]
    assert [(point["step"], point["attempt"]) for point in standing(whole)] == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2)]
    assert curve(standing(whole), "loss", "step")[3] == (4, 2.5)
    assert seconds_of_steps(standing(whole)) == 12
    assert whole_seconds(whole) == 18 + 34
    assert drawn(whole) == 500 + 800
    assert [point["step"] for point in standing(first, 3)] == [1, 2, 3]
    assert standing(whole, 0) == []


def test_tokens_are_counted_over_all_attempts() -> None:
    """Axolotl's own count begins at 0 again after a resume; after logging every tenth step a part of it is never told."""
    first, second = steps([10, 12, 14, 16, 18]), steps([30, 32, 34], first=4, attempt=2, begun=3)
    for number, point in enumerate(second, 1):
        point[TOKENS] = 1000.0 * number
    assert tokens_of_steps(standing([*first, *second])) == 6000
    told = [*first, *steps([30, 32, 34], first=4, attempt=2, begun=3)]
    assert tokens_of_steps(standing(told)) == 6000, "a count that goes on from the checkpoint's"
    tenth = [one | {"step": 10 * one["step"], TOKENS: 10 * one[TOKENS]} for one in steps([100, 200])]
    rest = {"step": 30.0, "begun": 25.0, "attempt": 2.0, "loss": 3.0, TOKENS: 5000.0}
    assert tokens_of_steps([*tenth, rest]) == 30_000, "steps 21 to 25 were never told"
    late = {"step": 30.0, "begun": 2.0, "attempt": 2.0, "loss": 3.0, TOKENS: 28_000.0}
    assert tokens_of_steps([*steps([10, 12]), late]) == 30_000, "a new count that is past the old one when it is first told"
    assert tokens_of_steps([{"step": 1.0, "loss": 3.0}]) is None


def test_another_configuration_has_its_own_pace() -> None:
    ladder = [*steps([10, 11, 12, 13]), *steps([30, 33, 36, 39], first=5, attempt=2, begun=4, taken=1)]
    assert seconds_of_steps(ladder) == 4 * 1 + 4 * 3
    assert tokens_per_second(intervals(kept.of_last_configuration(ladder))) == pytest.approx(1000 / 3)


def test_nothing_is_known_of_nothing() -> None:
    assert (seconds_of_steps([]), drawn([]), whole_seconds([]), step_seconds([]), tokens_per_second([])) == (None, None, 0, None, None)
    assert seconds_of_steps(steps([5])) is None


def test_a_line_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "points.jsonl"
    file.write_text(json.dumps({"step": 1, "loss": 3}) + '\n{"step": 2, "lo')
    assert kept.read(file) == [{"step": 1, "loss": 3}]
    assert kept.read(tmp_path / "none") == []
