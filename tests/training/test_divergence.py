"""A lost training is seen and ended, a healthy one never, however its curve jumps."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from math import exp, inf, nan
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorewright.errors import LorewrightError
from lorewright.runner import execute
from lorewright.stages import Run
from lorewright.training.divergence import BLIND, WINDOW, Finding, Watch, remedy

RunOf = Callable[..., Run]


def found(losses: Iterable[float], norms: float = 0.5, watch: Watch | None = None) -> Finding | None:
    """The first finding over a curve, logged every fifth step."""
    watch, losses = watch or Watch(), list(losses)
    points = ({"step": 5.0 * number, "loss": loss, "grad_norm": norms, "epoch": 0.1} for number, loss in enumerate(losses, 1))
    return next(filter(None, (watch.judge(point, point["step"] / 5 / len(losses)) for point in points)), None)


def noisy(start: float, falls: float, steps: int, noise: float, seed: int) -> Iterator[float]:
    """Falls to a share of its start, the faster the earlier, every step with noise of its own (lognormal, sigma `noise`)."""
    draw = random.Random(seed)
    for step in range(steps):
        yield start * (falls + (1 - falls) * exp(-5 * step / steps)) * exp(draw.gauss(0, noise))


@given(start=st.floats(0.5, 11), falls=st.floats(0.05, 0.9), steps=st.integers(1, 2000), share=st.floats(0, 1), seed=st.integers(0, 2**32))
@settings(max_examples=60)
def test_a_healthy_curve_never_trips(start: float, falls: float, steps: int, share: float, seed: int) -> None:
    """Noise of up to 20 % a step, and up to half of what the loss falls by."""
    noise = share * min(0.2, (1 - falls) / 2)
    assert found(noisy(start, falls, steps, noise, seed)) is None


@given(seed=st.integers(0, 2**32), at=st.integers(WINDOW, 150), start=st.floats(1, 5), factor=st.floats(2.5, 6))
@settings(max_examples=60)
def test_an_explosion_is_seen_within_a_window(seed: int, at: int, start: float, factor: float) -> None:
    curve = list(noisy(start, 0.5, 150, 0.1, seed))[:at]
    level = max(factor * start, start + 2.5)
    watch = Watch()
    assert found(curve, watch=watch) is None
    finding = found([*curve, *noisy(level, 0.9, WINDOW, 0.1, seed)])
    assert finding and finding.stop and finding.what.startswith("the loss exploded from ")
    assert finding.good <= 5 * at, "nothing of after the explosion counts as sound"
    assert finding.good >= 5 * (at - WINDOW) - 1, "and no more than a window of before is given up"


def test_single_leaps_and_a_few_bad_batches_are_no_explosion() -> None:
    curve = [2.0] * 40 + [30.0] * (WINDOW // 2 - 2) + [2.0] * 40 + [500.0] + [1.9] * 40
    assert found(curve) is None


def test_a_small_loss_may_double() -> None:
    assert found([0.1] * 90 + [0.3] * 60) is None


@pytest.mark.parametrize("value", [nan, inf])
def test_no_number_is_told_at_once(value: float) -> None:
    finding = found([2.0, 1.9, value])
    assert finding == Finding("the loss is not a number since step 15", good=9, stop=True), "the update of step 10 may have been the ruin"
    first = found([value])
    assert first and first.good == 0


def test_losses_that_the_trainer_has_replaced_by_zero_are_seen() -> None:
    """The trainer logs 0 where a step gave no number; the norm of its gradients shows it. With fp16 a few such steps are usual."""
    watch = Watch()
    assert found([2.0, 1.9], watch=watch) is None
    assert found([0.0] * (BLIND - 1), nan, watch) is None
    assert found([1.9], watch=watch) is None
    finding = found([0.0] * BLIND, nan, watch)
    assert finding and finding.stop
    assert found([0.0] * 50, 0.1) is None, "a loss that really is 0"


def test_what_is_flat_from_the_beginning_is_told_once_and_goes_on() -> None:
    watch = Watch()
    finding = found([3.0] * 600, watch=watch)
    assert finding and not finding.stop and "has not fallen in half of the training (3.00, now 3.00)" in finding.what
    assert found([3.0] * 600, watch=watch) is None
    assert found([3.0] * 300) is None, "too few steps to tell"
    assert "raise axolotl.learning_rate (it is 1e-06)" in remedy(finding, {"learning_rate": 1e-6})


def test_the_remedy_goes_by_the_recipe() -> None:
    lost = Finding("", 0, stop=True)
    plain = remedy(lost, {"learning_rate": 0.002, "fp16": True})
    assert plain.split(", ") == [
        "set axolotl.bf16 to auto instead of fp16", "lower axolotl.learning_rate to a third (it is 0.002)", "set axolotl.warmup_ratio to 0.05",
        "set axolotl.max_grad_norm to 0.3",
    ]  # fmt: skip
    assert remedy(lost, {"learning_rate": 1e-4, "warmup_ratio": 0.03, "max_grad_norm": 1.0}).startswith("lower axolotl.learning_rate")


@pytest.mark.req("F4")
def test_a_lost_training_is_ended_with_its_last_good_checkpoint(
    make_recipe: Callable[..., Path], run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curve = [f"{3 - step / 40:.3f}" for step in range(40)] + ["9.5"] * 60
    monkeypatch.setenv("FAKE_AXOLOTL", f"curve {' '.join(curve)}")
    file = make_recipe()
    run = run_of(file, "axolotl.learning_rate=0.01")
    with pytest.raises(LorewrightError, match=r"^the training was stopped: the loss exploded from 2\.\d\d to 9.50") as told:
        execute(run)
    assert "lower axolotl.learning_rate to a third (it is 0.01)" in str(told.value)
    assert "\n" not in str(told.value)
    adapter = next((run.paths.home / "train").glob("*.partial")) / "adapter"
    kept = [int(folder.name.rpartition("-")[2]) for folder in adapter.glob("checkpoint-*")]
    assert 30 <= max(kept) <= 40 and f"checkpoint-{max(kept)} is from before" in str(told.value)
    assert not (adapter / "adapter_model.safetensors").exists(), "the trainer was ended before its end"
    assert min(int(folder.name.rpartition("-")[2]) for folder in adapter.glob("lost-*")) == max(kept) + 1
    with pytest.raises(LorewrightError, match="the loss exploded"):
        execute(run_of(file, "axolotl.learning_rate=0.01"))
    monkeypatch.delenv("FAKE_AXOLOTL")
    mended = run_of(file, "axolotl.learning_rate=0.003")
    execute(mended)
    assert "trained from step 0" in (mended.done["train"] / "adapter" / "adapter_model.safetensors").read_text()


def test_axolotls_own_watch_goes_before_ours(
    make_recipe: Callable[..., Path], run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_AXOLOTL", f"curve {'2.0 ' * 20}{'9.5 ' * 30}")
    run = run_of(make_recipe(), "axolotl.loss_watchdog_threshold=20.0")
    execute(run)
    losses = [json.loads(line)["loss"] for line in (run.done["train"] / "points.jsonl").read_text().splitlines() if '"loss"' in line]
    assert losses == [2.0] * 20 + [9.5] * 30, "it went on to its end"


def judged(held: list[float], watch: Watch | None = None) -> list[Finding]:
    """The findings over evaluations at even distances, one at the start."""
    watch, last = watch or Watch(), max(1, len(held) - 1)
    points = ({"step": 10.0 * number, "eval_loss": loss, "epoch": 0.1} for number, loss in enumerate(held))
    return [found for number, point in enumerate(points) if (found := watch.judge(point, number / last))]


@given(start=st.floats(1, 8), falls=st.floats(0.1, 0.9), count=st.integers(3, 40), seed=st.integers(0, 2**32))
@settings(max_examples=60)
def test_held_out_text_that_is_learnt_warns_of_nothing(start: float, falls: float, count: int, seed: int) -> None:
    """A mean over a whole held-out part has little noise: 0.3 % here; the fall from one evaluation to the next is its own."""
    draw = random.Random(seed)
    curve = [start * (falls + (1 - falls) * exp(-3 * n / count)) * (1 + draw.gauss(0, 0.001)) for n in range(count)]
    assert [found.kind for found in judged(curve) if found.kind != "settled"] == []


def test_learning_by_heart_is_told_once_with_the_better_checkpoint() -> None:
    findings = judged([4.0, 3.5, 3.3, 3.45, 3.6, 3.8, 4.1])
    assert [(found.kind, found.good, found.stop) for found in findings] == [("by heart", 20, False)]
    assert "has risen since step 20 (3.300, now 3.600)" in findings[0].what
    advice = remedy(findings[0], {"learning_rate": 2e-4, "num_epochs": 6})
    assert advice.startswith("a checkpoint of about step 20 is the better one; next time fewer axolotl.num_epochs (it is 6)")
    assert judged([4.0, 3.5, 3.3, 3.45, 3.2, 3.1, 3.0]) == [], "one evaluation that is worse is chance"


def test_what_makes_it_worse_is_told_as_such() -> None:
    findings = judged([3.0, 3.2, 3.4, 3.6])
    assert [(found.kind, found.stop) for found in findings] == [("worse", False)]
    assert "is higher than before the training (3.000, now 3.400)" in findings[0].what
    assert remedy(findings[0], {"learning_rate": 0.01}).startswith("lower axolotl.learning_rate (it is 0.01)")


def test_what_learns_nothing_more_is_told_while_there_is_time() -> None:
    findings = judged([4.0, 3.41, 3.41, 3.41, 3.4, 3.4, 3.4, 3.4])
    assert [(found.kind, found.what) for found in findings] == [
        ("settled", "the loss on the held-out text has stayed at 3.410 since step 10")
    ]
    assert "fewer axolotl.num_epochs (it is 3) would do" in remedy(findings[0], {"num_epochs": 3})
    assert judged([4.0, 3.6, 3.5, 3.4, 3.4, 3.4]) == [], "at the end nothing is gained by saying so"
    assert judged([4.0] + [3.5] * 3 + [3.0 * 0.99**n for n in range(60)]) == [], "three within the first twentieth"
    often = judged([7.6] + [7.378] * 21)
    assert [found.what for found in often] == ["the loss on the held-out text has stayed at 7.378 since step 10"], (
        "evaluated more often than ten times"
    )


def test_an_evaluation_that_is_done_again_after_a_resume_counts_once() -> None:
    watch = Watch()
    points = [{"step": step, "eval_loss": loss} for step, loss in ((0.0, 4.0), (10.0, 3.0), (20.0, 3.2), (20.0, 3.2))]
    assert [watch.judge(point, point["step"] / 100) for point in points] == [None] * 4
    found = watch.judge({"step": 30.0, "eval_loss": 3.3}, 0.3)
    assert found and found.kind == "by heart"


def test_held_out_text_without_a_loss_is_told() -> None:
    findings = judged([4.0, nan, nan, 3.0])
    assert [found.kind for found in findings] == ["unmeasured"]
    assert "whether a held-out example has text that is trained" in remedy(findings[0], {})
