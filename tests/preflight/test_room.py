"""Disk and memory: what will be written and loaded, against what is free."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from lorewright.preflight import memory as memories
from lorewright.preflight.base_model import base_model
from lorewright.preflight.disk import checkpoints, disk, needs, trainable
from lorewright.preflight.memory import memory
from lorewright.preflight.model import Model
from tests.preflight.conftest import WantedOf
from tests.weights import eight_billion, write_model

Usage = namedtuple("Usage", "total used free")
GIB = 2**30


@pytest.fixture
def eight(tmp_path: Path) -> Model:
    return base_model(str(write_model(tmp_path / "eight", eight_billion())))[0]


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_free(gib: float) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(0, 0, int(gib * GIB)))

    return set_free


def test_trained_parameters_follow_from_the_shapes(eight: Model) -> None:
    """167,772,160 is what Axolotl prints for Llama-3.1-8B with rank 64 on all linear layers."""
    config: dict[str, Any] = {"adapter": "lora", "lora_r": 64, "lora_target_linear": True}
    assert trainable(config, eight) == 167_772_160
    assert trainable({"adapter": "lora", "lora_r": 64, "lora_target_modules": ["q_proj", "v_proj"]}, eight) == 64 * 32 * (8192 + 5120)
    assert trainable({}, eight) == 8_030_261_248
    unseen = Model("org/eight", parameters=8_030_261_248)
    assert trainable(config, unseen) == pytest.approx(167_772_160, rel=0.05), "of a model on the hub only the size is known"


@pytest.mark.parametrize(
    ("keys", "kept"),
    [
        ({"save_total_limit": 3, "saves_per_epoch": 2, "num_epochs": 3}, 4),
        ({"num_epochs": 2}, 3),
        ({"num_epochs": 20}, 5),
        ({"save_steps": 50}, 5),
        ({"save_strategy": "no"}, 0),
    ],
)
def test_as_many_checkpoints_as_axolotl_keeps_and_the_one_it_writes(keys: dict[str, Any], kept: int) -> None:
    """A checkpoint holds the adapter in 32 bit and the optimizer's states; the adapter itself comes at the end."""
    model = Model("m", parameters=1000, shapes={"a.weight": (10, 20)})
    config = {"adapter": "lora", "lora_r": 2, "lora_target_linear": True} | keys
    assert checkpoints(config, model) == kept * 60 * (4 + 8) + 60 * 4
    assert checkpoints(config | {"optimizer": "paged_adamw_8bit"}, model) == kept * 60 * (4 + 2) + 60 * 4


def test_a_full_disk_is_told_with_what_wants_it(wanted_of: WantedOf, eight: Model, free: Any) -> None:
    wanted = wanted_of(lora_r=64, num_epochs=3, save_total_limit=3, optimizer="paged_adamw_8bit")
    free(100)
    (found,) = disk(wanted, eight)
    assert (found.state, found.said.split(" wanted: ")[1]) == (
        "ok",
        "4.4 GiB for checkpoints and adapter, 15.0 GiB for the merged model, 1.0 GiB for temporary files",
    )
    free(10)
    (found,) = disk(wanted, eight)
    assert (found.state, found.said.endswith("the merge after the training will not fit")) == ("warn", True)
    assert found.remedy.startswith("free 10.3 GiB, or keep fewer checkpoints")
    free(5)
    (found,) = disk(wanted, eight)
    assert found.state == "bad"


def test_what_is_to_be_fetched_and_what_is_there_already(wanted_of: WantedOf, tmp_path: Path, free: Any) -> None:
    from dataclasses import replace

    fetched = Model("org/m", parameters=8 * 10**9, to_fetch=16 * 10**9)
    free(16)
    wanted = wanted_of(recipe={"serve": {"live": True}})
    (found,) = disk(wanted, fetched)
    assert (found.state, found.remedy.endswith("or point HF_HOME at a larger disk")) == ("bad", True)
    assert "merged" not in found.said, "a live adapter is not merged"
    wanting = {need.for_what: need.bytes for need in needs(wanted, fetched)}
    (tmp_path / "work" / "adapter" / "checkpoint-1").mkdir(parents=True)
    (tmp_path / "work" / "adapter" / "checkpoint-1" / "optimizer.pt").write_bytes(b"0" * 1000)
    later = {need.for_what: need.bytes for need in needs(replace(wanted, work=tmp_path / "work"), fetched)}
    assert wanting["checkpoints and adapter"] - later["checkpoints and adapter"] == 1000


MEMINFO = "MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:   {free} kB\nSwapTotal:       1000000 kB\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def has(free_gib: float, limit_gib: float | None = None) -> None:
        (tmp_path / "meminfo").write_text(MEMINFO.format(free=int(free_gib * 2**20)))
        (tmp_path / "memory.max").write_text(str(int(limit_gib * GIB)) if limit_gib else "max")
        (tmp_path / "memory.current").write_text(str(2 * GIB))
        (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {GIB}\n")
        monkeypatch.setattr(memories, "MEMINFO", tmp_path / "meminfo")
        monkeypatch.setattr(memories, "CGROUP", tmp_path)

    return has


def test_a_containers_limit_counts(machine: Any) -> None:
    machine(12)
    assert memories.free_and_total() == (12 * GIB, 17_000_000 * 1024)
    machine(12, limit_gib=8)
    assert memories.free_and_total() == (7 * GIB, 8 * GIB)


def test_memory_for_a_model_on_the_processor(wanted_of: WantedOf, eight: Model, machine: Any) -> None:
    """On the processor weights are computed in 32 bit: 30 GiB of 8 billion."""
    machine(12)
    none: dict[str, Any] = {"train": {"on_out_of_memory": []}}
    found = memory(wanted_of("cpu", recipe=none), eight)
    assert (found.state, found.said) == ("bad", "12.0 GiB of 16.2 GiB free, 31.9 GiB wanted for the model and the trainer")
    assert memory(wanted_of("cpu"), eight).state == "warn", "the ladder quantises"
    assert memory(wanted_of("cpu", adapter="qlora", load_in_4bit=True), eight).state == "ok"
    machine(4)
    assert memory(wanted_of("cpu", adapter="qlora", load_in_4bit=True), eight).state == "warn"


def test_memory_on_the_way_to_a_card(wanted_of: WantedOf, eight: Model, machine: Any) -> None:
    machine(12)
    assert memory(wanted_of(), eight).state == "warn", "one file of 15 GiB"
    machine(12)
    parts = base_model(str(write_model(Path(eight.name), {"a": (2**20, 512)}, {"b": (2**20, 512)})))[0]
    assert memory(wanted_of(), parts).said.endswith("3.0 GiB wanted while the model is loaded")
