"""The page of a training, with figures as a card gives them."""

from __future__ import annotations

import math
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorewright.data.pages.lines import ticks
from lorewright.training import record
from lorewright.training.page import Trained, adapter_said, energy, page, rate_said, took
from lorewright.training.points import Point
from lorewright.training.progress import Progress
from tests.data.style.test_picture import assert_self_contained

GIB = 2**30
QLORA = {
    "adapter": "qlora", "load_in_4bit": True, "lora_r": 64, "lora_alpha": 128, "lora_target_linear": True, "micro_batch_size": 4,
    "gradient_accumulation_steps": 4, "num_epochs": 3, "learning_rate": 0.0002, "warmup_ratio": 0.03, "sequence_len": 2048,
}  # fmt: skip


def logged(steps: int = 1200, evaluations: int = 24) -> list[Point]:
    """Steps of 3.4 s of 32,768 tokens on a card that draws 600 W; the held-out loss is lowest after two thirds."""
    draw, points, at = random.Random(4), list[Point](), 30.0
    for step in range(steps + 1):
        if step % (steps // evaluations) == 0:
            held = 3.0 + abs(step - steps * 2 / 3) / steps
            points.append({"step": float(step), "epoch": step / 400, "at": at, "eval_loss": held, "eval_runtime": 38.0})
            at += 38
        if step:
            at += 3.4
            about = {"memory/max_allocated (GiB)": 9.97 if step == 7 else 9.5, "memory/device_reserved (GiB)": 11.42}
            loss = (2.4 + math.exp(-step / 200)) * math.exp(draw.gauss(0, 0.07))
            points.append(
                {"step": float(step), "epoch": step / 400, "at": at, "loss": loss, "tokens/total": 32768.0 * step, "joules": at * 600}
                | about
            )
    return points


def trained(points: list[Point], gpus: int = 1, **others: Any) -> Trained:
    facts = {"trainable_parameters": 167_772_160.0, "parameters": 8_198_033_408.0}
    figures = record.figures(Progress(total=1200, step=1200, points=points, facts=facts), points, record.Machine("NVIDIA H200", gpus))
    ledger = {"training": {"samples": 6613, "tokens": 9_412_118, "trained_tokens": 8_900_100}, "validation": {"samples": 702}}
    return Trained("pears & <plums>", "org/Model-8B@0e9e39f249a1", QLORA, figures, ledger, points, **others)


@pytest.mark.req("F4")
def test_the_figures_of_a_card_are_told() -> None:
    whole = page(trained(logged(), predicted=10.5 * GIB, kept=[800, 1200]), {"set": "", "picture": ""}, [])
    assert_self_contained(whole)
    for said in (
        "9,638", "9.97 GiB at the peak, 11.42 GiB taken from the card; the plan expected 10.50 GiB (-5%)", "167,772,160 of 8,198,033,408 (2.05%)",
        "QLoRA, on a base in 4 bit, rank 64, alpha 128, on all linear layers", "1,200, each of 16 examples (4 at a time, 4 gathered); 3 epochs",
        "pears &amp; &lt;plums&gt;", "39,321,600, padding included", "0.0002, cosine, 3% warm-up", "checkpoint-800 is the better one", "0.84 kWh",
    ):  # fmt: skip
        assert said in whole, said


def test_of_many_evaluations_the_first_the_best_and_the_last_are_listed() -> None:
    rows = re.findall(r'<td class="n first">([\d,]+)</td>', page(trained(logged(), kept=[800]), {"set": "", "picture": ""}, []))
    assert rows == ["0", "800", "850", "900", "950", "1,000", "1,050", "1,100", "1,150", "1,200"]


def test_of_evaluations_that_are_alike_the_best_is_the_one_the_trainer_took() -> None:
    points = [
        {"step": float(step), "epoch": step / 10, "at": 1.0, "eval_loss": loss} for step, loss in ((0, 4.0), (4, 3.0), (8, 3.0), (9, 3.0))
    ]
    taken = record.figures(Progress(total=9, step=9, points=points), points, record.Machine("cpu", 0), 8)
    assert (taken["best_eval_step"], taken["adapter_step"]) == (8, 8)
    assert record.figures(Progress(total=9, step=9, points=points), points, record.Machine("cpu", 0))["best_eval_step"] == 4


def test_a_long_training_gives_a_small_page() -> None:
    assert len(page(trained(logged(20_000, 10)), {"set": "", "picture": ""}, [])) < 60_000


@pytest.mark.parametrize(("joules", "said"), [(None, ""), (1800.0, "0.5 Wh"), (2_775_500.0, "0.77 kWh")])
def test_energy(joules: float | None, said: str) -> None:
    assert energy(joules) == said


@pytest.mark.parametrize(
    ("axolotl", "said"),
    [
        ({}, "all parameters"),
        ({"adapter": "lora", "lora_r": 8, "load_in_8bit": True}, "LoRA, on a base in 8 bit, rank 8"),
        ({"adapter": "lora", "lora_target_modules": ["q_proj", "v_proj"], "lora_dropout": 0.05}, "LoRA, dropout 0.05, on q_proj, v_proj"),
        ({"adapter": "lora", "lora_target_modules": "all-linear"}, "LoRA, on all-linear"),
    ],
)  # fmt: skip
def test_methods(axolotl: dict[str, Any], said: str) -> None:
    assert adapter_said(axolotl) == said


def test_several_cards_and_attempts_are_told() -> None:
    points = logged()
    for point in points:
        point |= {"attempt": 1.0, "begun": 0.0}
    points += [{"step": 1200.0, "epoch": 3.0, "at": 50.0, "loss": 2.4, "attempt": 2.0, "begun": 1199.0}]
    rows = dict(took(trained(points, gpus=2)))
    assert rows["machine"] == "2 × NVIDIA H200" and rows["electricity"].endswith("drawn by the cards")
    assert rows["time"].endswith("in 2 attempts, for it was cut off")
    assert dict(took(trained(points, memory=["a -> b"])))["time"].endswith("in 2 attempts")
    assert rate_said({"learning_rate": 1e-4, "lr_scheduler": "linear", "warmup_steps": 10}) == "0.0001, linear, 10 warm-up steps"


@given(low=st.floats(0, 20), span=st.floats(1e-4, 1e4) | st.just(0.0), about=st.integers(2, 8))
def test_round_numbers_hold_all(low: float, span: float, about: int) -> None:
    found = ticks(low, low + span, about)
    assert found[0] <= low + 1e-6 and found[-1] >= low + span - 1e-6
    assert 2 <= len(found) <= about + 2
    assert found == sorted(set(found))
