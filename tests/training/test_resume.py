"""What a training goes on from: the newest whole checkpoint, whatever a power loss, a kill or a full disk has left of the others."""

from __future__ import annotations

import json
import os
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lorewright.errors import LorewrightError
from lorewright.training import kept as kept_module
from lorewright.training import stopping
from lorewright.training.checkpoints import fault
from lorewright.training.kept import Keeper, kept_of
from lorewright.training.plugins import with_plugins, without_ours
from lorewright.training.points import mended, standing
from lorewright.training.resume import Beginning, newest_whole, recorded, set_aside, tidy
from lorewright.training.shares import check_steps, note_steps
from lorewright.training.stopping import trigger, with_trigger
from tests.fakes.axolotl import save

WEIGHTS, STATE = "adapter_model.safetensors", "trainer_state.json"
PARTS = [WEIGHTS, "adapter_config.json", "optimizer.pt", "scheduler.pt", "rng_state.pth", STATE]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A trainer's output folder with whole checkpoints of the steps 5, 10 and 15."""
    for step in (5, 10, 15):
        save(tmp_path / "adapter" / f"checkpoint-{step}", step)
    return tmp_path / "adapter"


def cut(file: Path, bytes_left: int = -1) -> None:
    os.truncate(file, bytes_left if bytes_left >= 0 else file.stat().st_size - 1)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_whole_one_is_taken_and_nothing_is_touched(output: Path) -> None:
    assert newest_whole(output) == Beginning(15)
    assert names(output) == ["checkpoint-10", "checkpoint-15", "checkpoint-5"]
    assert newest_whole(output / "nothing") == Beginning(0)


@pytest.mark.req("F4")
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("harm", [Path.unlink, cut, lambda file: cut(file, 0)], ids=["missing", "cut", "empty"])
def test_a_broken_one_is_set_aside_and_named(output: Path, part: str, harm: Callable[[Path], None]) -> None:
    harm(output / "checkpoint-15" / part)
    begun = newest_whole(output)
    assert begun.step == 10
    (line,) = begun.said
    assert line.startswith("checkpoint-15 is not whole (") and line.endswith("); it is set aside as broken-15")
    assert part in line or (part == WEIGHTS and "the weights is missing" in line)
    assert names(output) == ["broken-15", "checkpoint-10", "checkpoint-5"]
    assert newest_whole(output) == Beginning(10)


def test_every_cut_of_every_file_is_seen(output: Path) -> None:
    folder = output / "checkpoint-15"
    for part in PARTS:
        whole = (folder / part).read_bytes()
        for length in range(len(whole)):
            (folder / part).write_bytes(whole[:length])
            assert fault(folder), f"{part} cut to {length} bytes"
        (folder / part).write_bytes(whole)
    assert not fault(folder)


def test_a_hole_in_what_torch_wrote_is_seen(output: Path) -> None:
    file = output / "checkpoint-15" / "optimizer.pt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data", b"x" * 9000)
    whole = file.read_bytes()
    assert not fault(file.parent)
    file.write_bytes(whole[:4096] + bytes(4096) + whole[8192:])
    assert fault(file.parent) == "optimizer.pt is cut short or damaged"


def test_parts_that_do_not_go_together(output: Path) -> None:
    folder = output / "checkpoint-15"
    (folder / STATE).write_text(json.dumps({"global_step": 14}))
    assert fault(folder) == "trainer_state.json is of another step"
    save(folder, 15)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": WEIGHTS, "b": "model-2.safetensors"}}))
    assert fault(folder) == "model-2.safetensors is missing"


def test_checkpoints_of_several_gpus(output: Path) -> None:
    """DeepSpeed keeps optimizer and scheduler in a folder of its own, FSDP weights and optimizer."""
    folder = output / "checkpoint-15"
    (folder / "global_step15").mkdir()
    for part in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        (folder / part).rename(folder / "global_step15" / f"rank_0_{part}.pt")
    shutil.copy(folder / "global_step15" / "rank_0_rng_state.pth.pt", folder / "rng_state_0.pth")
    assert not fault(folder)
    cut(folder / "global_step15" / "rank_0_optimizer.pt.pt")
    assert fault(folder) == "global_step15/rank_0_optimizer.pt.pt is cut short or damaged"


# --- what is kept beside -------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_kept_once_the_trainer_has_gone_on(output: Path) -> None:
    keeper = Keeper(output)
    keeper.look(15)
    assert names(kept_of(output)) == ["checkpoint-10"], "the trainer may still be writing the fifteenth"
    keeper.look(16)
    assert names(kept_of(output)) == ["checkpoint-15"]
    assert os.path.samefile(kept_of(output) / "checkpoint-15" / WEIGHTS, output / "checkpoint-15" / WEIGHTS), "it takes no room"


@pytest.mark.parametrize("part", [STATE, "optimizer.pt"])
def test_one_that_is_still_written_is_not_kept_whatever_step_was_read(output: Path, part: str) -> None:
    """The bar of an evaluation can look like the training's own."""
    keeper = Keeper(output)
    keeper.look(12)
    cut(output / "checkpoint-15" / STATE) if part == STATE else (output / "checkpoint-15" / part).unlink()
    keeper.look(24)
    assert names(kept_of(output)) == ["checkpoint-10"]
    save(output / "checkpoint-15", 15)
    keeper.look(24)
    assert names(kept_of(output)) == ["checkpoint-15"]


def test_what_a_kill_has_left_unfinished_takes_no_room(output: Path) -> None:
    shutil.copytree(output / "checkpoint-5", kept_of(output) / ".checkpoint-5")
    shutil.copytree(output / "checkpoint-5", output / ".checkpoint-5")
    assert newest_whole(output) == Beginning(15)
    Keeper(output).look(16)
    assert names(kept_of(output)) == ["checkpoint-15"]
    tidy(output, "whole")
    assert names(output) == ["checkpoint-10", "checkpoint-15", "checkpoint-5"]


@pytest.mark.req("F4")
def test_what_the_trainer_has_removed_is_given_back(output: Path) -> None:
    """The moment between the removal of the old checkpoints and the disk's having the new one."""
    Keeper(output).look(12)
    for step in (5, 10):
        shutil.rmtree(output / f"checkpoint-{step}")
    cut(output / "checkpoint-15" / "optimizer.pt", 0)
    begun = newest_whole(output)
    assert begun.step == 10
    assert names(output) == ["broken-15", "checkpoint-10"]
    assert not fault(output / "checkpoint-10")
    assert newest_whole(output) == Beginning(10)


def test_everything_is_on_the_disk_before_it_counts_as_kept(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[str] = set()
    monkeypatch.setattr(os, "fsync", lambda handle: synced.add(os.readlink(f"/proc/self/fd/{handle}")))
    rename = Path.rename

    def renamed(self: Path, target: Path) -> Path:
        assert {str(self / part) for part in PARTS} | {str(self)} <= synced
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", renamed)
    Keeper(output).look(16)
    assert {str(kept_of(output)), str(output.parent)} <= synced


def test_a_file_system_without_links_stops_nothing(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: str, target: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(kept_module.os, "link", refuse)
    Keeper(output).look(16)
    assert newest_whole(output) == Beginning(15)


def test_a_kept_one_that_was_damaged_is_no_help(output: Path) -> None:
    Keeper(output).look(16)
    cut(output / "checkpoint-15" / WEIGHTS)
    assert newest_whole(output).step == 10


def test_checkpoints_of_after_are_set_aside(output: Path) -> None:
    Keeper(output).look(16)
    assert set_aside(output, 12) == 10
    assert names(output) == ["checkpoint-10", "checkpoint-5", "lost-15"]
    assert names(kept_of(output)) == []
    assert set_aside(output, 0) == 0
    assert names(output) == ["lost-10", "lost-15", "lost-5"]


# --- the curve, and what is left -----------------------------------------------------------------------------------------


def test_the_curve_is_whole_whatever_became_of_its_file(output: Path, tmp_path: Path) -> None:
    """Points 7 to 9 are lost, one in half a line; 6 was taken for 5, which the bar still showed; 11 to 13 are of after."""
    file, checkpoint = tmp_path / "points.jsonl", output / "checkpoint-10"
    history = [{"step": step, "loss": step + 1 / 3, "epoch": step / 30} for step in range(1, 11)] + [
        {"step": 10, "eval_loss": 4.0, "epoch": 1 / 3}
    ]
    (checkpoint / STATE).write_text(json.dumps({"global_step": 10, "log_history": history}))
    lines = [json.dumps({"step": step - (step == 6), "loss": step, "epoch": float(f"{step / 30:.4g}"), "at": 0.5}) for step in range(1, 14)]
    file.write_text("\n".join([*lines[:6], lines[6][:17], *lines[9:]]) + "\n\0\0\0")
    read = mended(file)
    assert [json.loads(line) for line in file.read_text().splitlines()] == read, "the next line starts a line of its own"
    points = recorded(standing(read, 10), checkpoint)
    assert [point["step"] for point in points] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10], "no step twice, none of after"
    assert [point.get("loss", point.get("eval_loss")) for point in points] == [1, 2, 3, 4, 5, 6, 7.333, 8.333, 9.333, 10, 4.0]
    assert [point.get("at") for point in points[:7]] == [0.5] * 6 + [None]
    assert recorded(standing(read, 0), output / "checkpoint-0") == []
    assert mended(tmp_path / "none") == [] and not (tmp_path / "none").exists()


def test_a_training_goes_on_with_steps_that_are_the_same_only(tmp_path: Path) -> None:
    config = {"micro_batch_size": 2, "gradient_accumulation_steps": 2}
    check_steps(tmp_path, config, 1)
    note_steps(tmp_path, config, 1)
    check_steps(tmp_path, {"micro_batch_size": 1, "gradient_accumulation_steps": 2}, 2)
    with pytest.raises(LorewrightError, match="begun on 1 cards with 4 examples a step; now it would be 2 with 8"):
        check_steps(tmp_path, config, 2)
    packed = config | {"sample_packing": True}
    check_steps(tmp_path, packed, 1)
    with pytest.raises(LorewrightError, match="packed samples lie otherwise"):
        check_steps(tmp_path, packed | {"gradient_accumulation_steps": 1}, 2)


@pytest.mark.parametrize(("wanted", "left"), [("whole", PARTS), ("weights", [WEIGHTS, "adapter_config.json", STATE]), ("none", None)])
def test_what_is_left_of_a_finished_training(output: Path, wanted: str, left: list[str] | None) -> None:
    Keeper(output).look(16)
    cut(output / "checkpoint-15" / WEIGHTS)
    newest_whole(output)
    tidy(output, wanted)
    assert names(output) == ([] if left is None else ["checkpoint-10", "checkpoint-5"])
    assert not kept_of(output).exists()
    if left:
        assert names(output / "checkpoint-10") == sorted(left)


def test_a_training_gets_the_plugins_that_it_needs(tmp_path: Path) -> None:
    liger = "axolotl.integrations.liger.LigerPlugin"
    config = with_plugins({"sample_packing": True, "plugins": [liger]}, tmp_path)
    ours = ["same_start.SameStart", "packed_order.SameOrder", "fused_throughout.FusedThroughout"]
    assert config["plugins"] == [liger, *ours], "after Liger's, which ours completes"
    assert without_ours(config)["plugins"] == [liger]
    assert with_plugins({"load_in_4bit": True, "device_map": "cpu"}, tmp_path)["plugins"] == [
        "same_start.SameStart",
        "kept_unpacked.KeptUnpacked",
        "loaded_as_stored.LoadedAsStored",
    ]
    assert "class SameOrder" in (tmp_path / "packed_order.py").read_text() and (tmp_path / "same_start.py").exists()
    (tmp_path / "plain").mkdir()
    assert with_plugins({"lora_r": 8}, tmp_path / "plain")["plugins"] == ["same_start.SameStart"]
    assert [file.name for file in (tmp_path / "plain").iterdir()] == ["same_start.py"]


def test_a_checkpoint_is_asked_for_unless_the_recipe_says_otherwise(tmp_path: Path) -> None:
    assert trigger(tmp_path, with_trigger({"lora_r": 8})) == tmp_path / "axolotl_checkpoint.save"
    assert trigger(tmp_path, with_trigger({"dynamic_checkpoint": {"enabled": False}})) is None
    assert trigger(tmp_path, with_trigger({"dynamic_checkpoint": {"enabled": True, "trigger_file_path": "now"}})) == tmp_path / "now"


def test_one_that_does_not_come_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "SECONDS", 0)
    over, _ = stopping.ask_for_checkpoint(tmp_path / "adapter", tmp_path / "adapter" / "now", 4, 0.02)
    assert not over()
    time.sleep(0.08)
    assert over()
