"""Axolotl's log, as version 0.19.0 writes it, and what is read from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorewright.training.chart import draw_loss
from lorewright.training.progress import Progress, curve, summary

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
    assert progress.note() == "step 2/15, loss 7.600, validation 7.672"
    facts = summary(progress)
    assert facts["loss_curve"] == [(0.06667, 7.65), (0.1333, 7.6)]
    assert facts["eval_loss_curve"] == [(0.0, 7.672)]
    assert (facts["trainable_parameters"], facts["train_runtime"], facts["final_loss"]) == (32768, 1.89, 7.6)


def test_not_a_number_is_a_point_too() -> None:
    """A diverged training must be seen, not dropped."""
    point = Progress().read("{'loss': 'nan', 'epoch': '1'}")
    assert point is not None
    assert point["loss"] != point["loss"]


def test_repeated_epochs_count_once() -> None:
    assert curve([{"epoch": 1, "loss": 3}, {"epoch": 2, "loss": 2}, {"epoch": 1, "loss": 4}], "loss") == [(1, 4), (2, 2)]


@pytest.mark.parametrize(("losses", "held"), [([(0.1, 4.0), (0.2, 3.0)], [(0.2, 3.5)]), ([], []), ([(0.1, 4.0)], [])])
def test_chart_is_a_picture(tmp_path: Path, losses: list[tuple[float, float]], held: list[tuple[float, float]]) -> None:
    draw_loss(losses, held, "small", tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
