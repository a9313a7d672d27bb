"""A step's examples shared out to several cards, and the command that starts Axolotl on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorewright.training.launch import Launcher
from lorewright.training.several import fitted, for_each, step_said, whole_step

QLORA = {"micro_batch_size": 4, "gradient_accumulation_steps": 4, "lora_r": 64}


def each(config: dict[str, Any], cards: int) -> tuple[int, int]:
    return whole_step(for_each(config, cards))


@pytest.mark.req("F4")
def test_several_cards_share_the_examples_of_a_step() -> None:
    assert each(QLORA, 1) == (4, 4)
    assert each(QLORA, 2) == (4, 2)
    assert each(QLORA, 4) == (4, 1)
    assert for_each(QLORA, 2)["lora_r"] == 64


def test_the_micro_batch_is_halved_where_the_accumulation_cannot_be_shared() -> None:
    config = {"micro_batch_size": 4, "gradient_accumulation_steps": 1}
    shared, said = fitted(config, 2)
    assert whole_step(shared) == (2, 2)
    assert said == "micro_batch_size 4 became 2: 2 cards share the 4 examples of a step"
    assert each(shared, 2) == (2, 1)
    assert each(shared, 1) == (2, 2), "on one card again, the step is the same"


def test_what_cannot_be_shared_evenly_is_said() -> None:
    shared, said = fitted(QLORA, 3)
    assert whole_step(shared) == (4, 3)
    assert said == "a step has 12 examples instead of 16, which 3 cards cannot share evenly"
    assert fitted({"micro_batch_size": 1, "gradient_accumulation_steps": 1}, 8)[1].startswith("a step has 8 examples instead of 1")


def test_the_older_word_for_the_batch_is_understood() -> None:
    config = {"micro_batch_size": 2, "batch_size": 8}
    assert each(config, 2) == (2, 2)
    assert "batch_size" not in for_each(config, 2)


@given(micro=st.integers(1, 32), gathered=st.integers(1, 64), cards=st.integers(1, 16))
def test_sharing_keeps_the_batch_wherever_it_can(micro: int, gathered: int, cards: int) -> None:
    config = {"micro_batch_size": micro, "gradient_accumulation_steps": gathered}
    shared, said = fitted(config, cards)
    each_micro, each_gathered = each(shared, cards)
    assert each_micro <= micro and each_gathered >= 1
    step = each_micro * each_gathered * cards
    assert step == micro * gathered or (said and micro * gathered % cards)
    assert fitted(shared, cards) == (shared, ""), "once fitted, it fits"


@pytest.mark.parametrize(
    ("cards", "keep", "said"),
    [
        ("all", True, "a step has 16 (4 x 4) examples, on one card or shared by several"),
        (1, True, "a step has 16 (4 x 4) examples, on one card or shared by several"),
        (2, True, "a step has 16 (4 x 4) examples, shared by 2 cards"),
        (3, True, "a step has 12 examples instead of 16, which 3 cards cannot share evenly"),
        ("all", False, "each card takes 16 (4 x 4) examples a step"),
        (2, False, "each card takes 16 (4 x 4) examples a step, 32 together"),
    ],
)
def test_the_plan_says_what_a_step_has(cards: int | str, keep: bool, said: str) -> None:
    assert step_said(QLORA, cards, keep=keep) == said


BIN = Path("/env/bin")


@pytest.mark.req("F4")
@pytest.mark.parametrize(
    ("name", "processes", "command"),
    [
        ("accelerate", 1, "/env/bin/axolotl train axolotl.yaml"),
        (
            "accelerate", 2,
            "/env/bin/axolotl train axolotl.yaml --launcher accelerate -- --multi_gpu --num_processes 2 --main_process_port 7",
        ),
        ("torchrun", 2, "/env/bin/axolotl train axolotl.yaml --launcher torchrun -- --standalone --nproc_per_node 2"),
        ("ray", 2, "/env/bin/axolotl train axolotl.yaml --use-ray --ray-num-workers 2"),
        (
            "deepspeed", 2,
            "/env/bin/python -m deepspeed.launcher.runner --hostfile /dev/null --master_port 7 --include localhost:2,3 --no_local_rank"
            " --module axolotl.cli.train axolotl.yaml",
        ),
    ],
)  # fmt: skip
def test_the_command_of_each_launcher(name: str, processes: int, command: str) -> None:
    assert Launcher(name, processes, "2,3").command(BIN, 7) == command.split()


def test_the_processes_share_the_threads_and_see_their_cards() -> None:
    assert Launcher("torchrun", 2).variables(16) == {"OMP_NUM_THREADS": "8"}
    assert Launcher("torchrun", 2, "0,1").variables(1)["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert Launcher("ray", 2).variables(4)["RAY_CHDIR_TO_TRIAL_DIR"] == "0"
    assert Launcher("accelerate", 2).by_hand().startswith("axolotl train axolotl.yaml --launcher accelerate")
