"""Axolotl's log, as version 0.19.0 writes it, and what is read from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorewright.training.chart import draw_loss, smooth
from lorewright.training.points import curve
from lorewright.training.progress import Progress, summary

LOG = """
[2026-01-01 07:43:05,855] [INFO] [axolotl.utils.data.sft] Maximum number of steps set at 15
trainable params: 32,768 || all params: 590,464 || trainable%: 5.5495
  0%|          | 0/1 [00:00<?, ?it/s]
{'eval_loss': '7.672', 'eval_runtime': '0.0807', 'memory/max_active (GiB)': '0', 'epoch': '0'}
  7%|7         | 1/15 [00:00<00:03,  4.41it/s]
{'loss': '7.65', 'grad_norm': '0.5764', 'learning_rate': '0.001', 'ppl': '21', 'epoch': '0.06667'}
not a point: {'loss': nan...}  {'weird'}
 13%|#3        | 2/15 [00:00<00:02,  4.41it/s]
{'loss': '7.6', 'grad_norm': '0.5', 'epoch': '0.1333'}
{'train_runtime': '1.89', 'train_samples_per_second': '15.87', 'train_loss': '7.517', 'epoch': '3'}
"""


def read(log: str) -> Progress:
    progress = Progress()
    for line in log.splitlines():
        progress.read(line)
    return progress


def test_log_is_read() -> None:
    progress = read(LOG)
    assert (progress.step, progress.total) == (2, 15)
    assert progress.note() == "step 2/15 · loss 7.600 · eval 7.672"
    facts = summary(progress)
    assert facts["loss_curve"] == [(0.06667, 7.65), (0.1333, 7.6)]
    assert facts["eval_loss_curve"] == [(0.0, 7.672)]
    assert (facts["trainable_parameters"], facts["train_runtime"], facts["final_loss"]) == (32768, 1.89, 7.6)


def test_what_it_does_beside_its_steps_is_told() -> None:
    progress = Progress()
    told = []
    for line in (
        "Maximum number of steps set at 4", "Starting trainer...", "  0%|  | 0/4 [00:00<?, ?it/s]", "Running evaluation step...",
        " 25%|  | 1/4 [00:01<00:02, 1.0s/it]", "{'eval_loss': '4.5', 'epoch': '0'}", " 25%|  | 1/4 [00:02<00:06,  2.0s/it]",
        "{'loss': '4', 'epoch': '0.25'}", "Saving model checkpoint to adapter/checkpoint-1", " 50%|  | 2/4 [00:04<00:06,  2.0s/it]",
    ):  # fmt: skip
        progress.read(line)
        told.append(progress.note())
    assert told[1] == "first step" and told[2] == "step 0/4 · first step"
    assert told[4] == "step 0/4 · evaluating 1/4", "an evaluation's bar is no step, though it has as many parts"
    assert told[8] == "step 1/4 · saving · loss 4.000 · eval 4.500"
    assert told[9] == "step 2/4 · loss 4.000 · eval 4.500"


def test_a_bar_that_lags_behind_does_not_give_one_step_two_losses() -> None:
    progress = read("Maximum number of steps set at 3\n 33%| | 1/3 [00:00<00:00]\n{'loss': '3', 'epoch': '1'}\n{'loss': '2', 'epoch': '2'}")
    assert [point["step"] for point in progress.points] == [1, 2]


def test_the_highest_memory_so_far_is_told() -> None:
    """Axolotl logs the highest since its line before."""
    line = "{{'loss': '3', 'epoch': '{}', 'memory/max_allocated (GiB)': '{}', 'memory/device_reserved (GiB)': '12.5'}}"
    progress = read("\n".join(line.format(epoch, size) for epoch, size in ((1, 9.97), (2, 8.1))))
    assert "peak 10.0 GiB" in progress.note()
    assert progress.peak == round(9.97 * 2**30)
    assert "peak 3.0 GiB" in Progress(doing="first step").note(used=3 * 2**30)


def test_not_a_number_is_a_point_too() -> None:
    """A diverged training must be seen, not dropped."""
    point = Progress().read("{'loss': 'nan', 'epoch': '1'}")
    assert point is not None
    assert point["loss"] != point["loss"]


def test_repeated_epochs_count_once() -> None:
    assert curve([{"epoch": 1, "loss": 3}, {"epoch": 2, "loss": 2}, {"epoch": 1, "loss": 4}], "loss") == [(1, 4), (2, 2)]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("losses", "held"),
    [([(1, 4.0), (2, 3.0)], [(2, 3.5)]), ([], []), ([(1, 4.0)], []), ([(1, 4.0), (2, float("nan"))], [(1, float("inf"))])],
)
def test_chart_is_a_picture(tmp_path: Path, losses: list[tuple[float, float]], held: list[tuple[float, float]], dark: bool) -> None:
    draw_loss(losses, held, "small", tmp_path / "loss.png", dark=dark)
    assert (tmp_path / "loss.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_smoothing_keeps_a_straight_line_and_takes_noise_away() -> None:
    straight = [(step, 5.0 - step / 100) for step in range(200)]
    assert [value for _, value in smooth(straight)][:195] == pytest.approx([value for _, value in straight][:195]), (
        "the beginning does not drag"
    )
    noisy = smooth([(step, 3.0 + (-1) ** step) for step in range(200)])
    assert max(abs(value - 3) for _, value in noisy[10:]) < 0.2, "nor is the last step more than any other"
    assert smooth(straight[:39]) == straight[:39]
