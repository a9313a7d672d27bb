"""What no forecast can be made of is refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lorewright.cli import main
from lorewright.errors import LorewrightError
from lorewright.preflight import disk
from lorewright.training.forecast.found import Model
from lorewright.training.forecast.gpus import find_gpu
from lorewright.training.forecast.learn import compare
from lorewright.training.forecast.lengths import Lengths
from lorewright.training.forecast.predict import KEPT, predict
from lorewright.training.forecast.settings import settings_of
from lorewright.training.forecast.shape import shape_of
from lorewright.training.probing import gathered_of
from tests.training.forecast.measured import LIGER

SIZES: dict[str, Any] = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100, "intermediate_size": 96}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize(("wrong", "said"), [
    ({"intermediate_size": [96, 96]}, "intermediate_size must be one whole number"),  # Gemma 3n has one a layer
    ({"num_attention_heads": 0}, "num_attention_heads must be one whole number above 0"), ({"vocab_size": None}, "vocab_size not given"),
    ({"num_key_value_heads": "2"}, "num_key_value_heads"), ({"text_config": [1], "hidden_size": True}, "hidden_size must be"),
])  # fmt: skip
def test_sizes_that_are_no_numbers(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(LorewrightError, match=said):
        shape_of(SIZES | wrong, "config.json")


def test_a_name_that_the_hub_cannot_have(repo: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    words = ["--set", "base_model=a/b/c", "--gpu", "RTX 4090"]
    assert main(["plan", str(repo / "configs/qlora_style_transfer.yaml"), *words]) == 1
    assert "a/b/c is no name that the hub can have" in capsys.readouterr().err


def test_a_micro_batch_larger_than_the_batch_is_one_step() -> None:
    keys = {key: value for key, value in LIGER.items() if key != "gradient_accumulation_steps"} | {"micro_batch_size": 8, "batch_size": 4}
    assert settings_of(keys, shape_of(SIZES, "")).gathered == 1 and gathered_of(keys) == 1
    assert compare(keys, find_gpu("H200"), {"steps": 1, "tokens": 16384, "seconds": 2.0}, None)[1]


@pytest.mark.parametrize(("given", "meant"), [("4090x2", "2x4090"), ("RTX 4090 x 2", "2xRTX 4090"), ("H100×8", "8xH100")])
def test_the_number_of_cards_stands_before_the_name(repo: Path, capsys, given: str, meant: str) -> None:  # type: ignore[no-untyped-def]
    assert main(["plan", str(repo / "configs/starter.yaml"), "--gpu", given]) == 1
    said = capsys.readouterr().err
    assert "the number of cards stands before the name" in said and f"--gpu {meant}" in said


def test_a_name_that_only_looks_like_a_number_of_cards(repo: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    for given in ("rtx 50", "0xH100"):
        assert main(["plan", str(repo / "configs/starter.yaml"), "--gpu", given]) == 1
        assert f"no GPU called '{given}'" in capsys.readouterr().err


def test_as_many_checkpoints_are_counted_as_axolotl_keeps() -> None:
    """Four, and the one that is being written; the check before a training counts with the same number."""
    model = Model(shape_of(SIZES, ""), "", 1)
    each = {"num_epochs": 20, "saves_per_epoch": 1}
    sizes = [
        predict(LIGER | each | limit, model, find_gpu("H200"), Lengths({512: 100}, {}, True, "")).resources.checkpoints
        for limit in ({}, {"save_total_limit": KEPT})
    ]
    assert KEPT == disk.KEPT and sizes[0] == sizes[1] > 0
