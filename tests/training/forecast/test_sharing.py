"""What FSDP and ZeRO share out to the cards is divided by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lorewright.cli import main
from lorewright.training.forecast.found import find_model
from lorewright.training.forecast.gpus import find_gpu
from lorewright.training.forecast.lengths import Lengths
from lorewright.training.forecast.memory import GIB
from lorewright.training.forecast.predict import Forecast, predict
from lorewright.training.forecast.settings import settings_of
from lorewright.training.forecast.sharing import ALL, STATES, shared_of
from tests.training.forecast.measured import LORA


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def zero(stage: int) -> dict[str, Any]:
    return {"deepspeed": {"zero_optimization": {"stage": stage}}}


@pytest.mark.parametrize(("keys", "shared"), [
    ({}, ()), (zero(1), ("optimizer",)), (zero(2), STATES), (zero(3), ALL),
    ({"fsdp_config": {"reshard_after_forward": True}}, ALL), ({"fsdp_config": {"reshard_after_forward": False}}, STATES),
    ({"fsdp": ["full_shard"], "fsdp_config": {"fsdp_sharding_strategy": "FULL_SHARD"}}, ALL),
    ({"fsdp_config": {"sharding_strategy": "SHARD_GRAD_OP"}}, STATES), ({"fsdp_config": {"fsdp_sharding_strategy": "NO_SHARD"}}, ()),
])  # fmt: skip
def test_what_is_shared(keys: dict[str, Any], shared: tuple[str, ...]) -> None:
    assert shared_of(keys) == shared


def on_cards(keys: dict[str, Any], cards: int) -> Forecast:
    lengths = Lengths({2048: 100}, {}, True, "")
    return predict(LORA | keys, find_model("meta-llama/Llama-3.1-8B"), find_gpu("RTX 4090"), lengths, devices=cards)


@pytest.mark.parametrize("keys", [zero(1), zero(2), zero(3), {"fsdp_config": {"reshard_after_forward": True}}])
def test_each_card_holds_its_part(keys: dict[str, Any]) -> None:
    alone, whole, parts = on_cards(keys, 1), on_cards({}, 4), on_cards(keys, 4)
    assert parts.shared == shared_of(keys) and alone.shared == whole.shared == ()
    of_whole, of_part = (next(peak for peak in found.phases if peak.phase == "training").parts for found in (whole, parts))
    for name in ALL:
        assert of_part[name] == pytest.approx(of_whole[name] / (4 if name in parts.shared else 1))
    gathered = 2 * (2 * 128256 * 4096 + 6_979_321_856 / 32) if "weights" in parts.shared else 0
    assert of_part["workspace"] - of_whole["workspace"] == pytest.approx(gathered, rel=0.001)
    assert of_part["activations"] == of_whole["activations"]


def test_the_recipe_that_shares_its_model(repo: Path, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    words = ["plan", str(repo / "configs/lora_style_transfer_fsdp2.yaml"), "--runs", str(tmp_path), "--gpu", "2xRTX 4090"]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["forecast"]["memory"]
    assert found["phases"]["training"]["weights"] == pytest.approx(14.96 * GIB / 2, rel=0.001) and found["shared"] == list(ALL)
    assert main(words) == 0
    assert "weights, adapter, gradients, optimizer by 2 cards" in capsys.readouterr().out


def test_fsdps_own_checkpointing_counts() -> None:
    shape, plain = find_model("meta-llama/Llama-3.1-8B").shape, LORA | {"gradient_checkpointing": False}
    assert not settings_of(plain, shape).checkpointing
    for key in ("activation_checkpointing", "fsdp_activation_checkpointing"):
        assert settings_of(plain | {"fsdp_config": {key: True}}, shape).checkpointing
