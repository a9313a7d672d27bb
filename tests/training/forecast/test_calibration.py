"""Finished trainings correct the forecast; one that went astray does not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lorewright.cli import main
from lorewright.manifest import write_json
from lorewright.training.forecast.calibration import Correction, Lesson, correction, keep, lessons, store
from lorewright.training.forecast.gpus import find_gpu
from lorewright.training.forecast.learn import compare, learn
from lorewright.training.forecast.memory import GIB
from tests.training.forecast.measured import ALONE, LIGER


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def taught(*times: float, device: str = "H200") -> Correction:
    return correction("NVIDIA H200", [Lesson(str(number), device, "r", None, time) for number, time in enumerate(times)])


def test_one_training_counts_for_half_and_many_for_nearly_all() -> None:
    assert taught() == Correction()
    assert taught(1.21).time == pytest.approx(1.1) and taught(1.21).memory == 1
    assert taught(*[1.21] * 9).time == pytest.approx(1.21**0.9)


def test_an_outlier_moves_nothing() -> None:
    steady = taught(1.1, 1.1, 1.1)
    assert taught(1.1, 1.1, 1.1, 1.9).time == pytest.approx(steady.time, rel=0.01)
    assert taught(1.1, 1.1, 1.1, 30.0) == steady, "a suspended machine"
    assert taught(0.01) == Correction(), "and so does the first one"
    assert taught(1.3, device="RTX 4090") == Correction(), "another kind of card teaches nothing about this one"


def test_only_the_newest_count() -> None:
    assert taught(*[1.5] * 9, *[1.1] * 9).time == taught(*[1.1] * 9).time


def finished(runs: Path, recipe: str, key: str, keys: Mapping[str, Any] = ALONE, longest: int = 2048, **measured: Any) -> Path:
    """A training and the ledger that it needed, of examples of one length."""
    folder = runs / recipe / "train" / key
    write_json(folder / "training.json", {"device": "NVIDIA H200", "gpus": 1} | measured)
    (folder / "axolotl.yaml").write_text(yaml.safe_dump(dict(keys)))
    write_json(folder / "step.json", {"needs": {"ledger": f"of {key}"}})
    sides = {"training": {"lengths": {str(longest): 400}}, "validation": {"lengths": {}}}
    write_json(runs / recipe / "ledger" / f"ledger of {key}" / "step.json", {"digest": f"of {key}"})
    write_json(runs / recipe / "ledger" / f"ledger of {key}" / "ledger.json", sides)
    return folder


def test_finished_trainings_are_learnt_from_once_and_kept(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    tokens = 100 * 16 * 2048
    folder = finished(runs, "mine", "abc", peak_vram_bytes=round(9.97 * GIB), steps=100, tokens=tokens, seconds=tokens / 9869)
    finished(runs, "mine", "abd.partial", steps=1, tokens=1, seconds=1)
    (runs / "mine" / "train" / "abe").mkdir()
    (runs / "mine" / "train" / "abe" / "training.json").write_text("{half")
    learn(runs)
    learn(runs)
    (lesson,) = lessons()
    assert (lesson.key, lesson.device, lesson.recipe) == ("abc", "H200", "mine")
    assert lesson.memory == pytest.approx(1, abs=0.01) and lesson.time == pytest.approx(1, abs=0.01)
    shutil.rmtree(folder)
    learn(runs)
    assert len(lessons()) == 1, "what was learnt outlives the run"
    store().unlink()
    assert lessons() == [] and correction("H200", lessons()) == Correction()


def test_planning_learns_from_the_runs_that_lie_there(repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokens = 100 * 16 * 2048
    finished(tmp_path / "runs", "mine", "abc", peak_vram_bytes=round(12 * GIB), steps=100, tokens=tokens, seconds=tokens / 9869)
    main(["plan", str(repo / "configs/qlora_style_transfer.yaml"), "--runs", str(tmp_path / "runs"), "--gpu", "H200"])
    assert "corrected by 1 training on this kind of card (memory × 1.09, time × 1.00;" in capsys.readouterr().out


def test_a_training_is_set_beside_its_own_ledger(tmp_path: Path) -> None:
    """The newest set's examples are much longer; and where the own ledger is gone, nothing is learnt."""
    runs = tmp_path / "runs"
    for key, longest in (("short", 512), ("long", 2048)):
        finished(runs, "mine", key, longest=longest, peak_vram_bytes=round(9.97 * GIB))
    (runs / "mine" / "latest").mkdir()
    (runs / "mine" / "latest" / "ledger").symlink_to("../ledger/ledger of long")
    finished(runs, "other", "gone", peak_vram_bytes=round(9.97 * GIB))
    shutil.rmtree(runs / "other" / "ledger")
    learn(runs)
    known = {one.key: one.memory for one in lessons()}
    assert set(known) == {"short", "long"}
    assert known["long"] == pytest.approx(1, abs=0.01) and (known["short"] or 0) > 1.2


def test_smoke_runs_and_shared_models_teach_nothing(tmp_path: Path) -> None:
    finished(tmp_path, "mine-smoke", "1", peak_vram_bytes=round(9.97 * GIB))
    finished(tmp_path, "sharded", "2", LIGER | {"fsdp_version": 2, "fsdp_config": {"reshard_after_forward": True}}, peak_vram_bytes=GIB * 8)
    finished(tmp_path, "sharded", "3", LIGER | {"deepspeed": "deepspeed.json"}, peak_vram_bytes=GIB * 8)
    learn(tmp_path)
    assert lessons() == []


def test_a_training_done_again_on_another_card_is_another_lesson(tmp_path: Path) -> None:
    finished(tmp_path, "mine", "1", peak_vram_bytes=round(9.97 * GIB))
    learn(tmp_path)
    finished(tmp_path, "mine", "1", device="NVIDIA GeForce RTX 4090", peak_vram_bytes=round(9.97 * GIB))
    learn(tmp_path)
    assert [(one.key, one.device) for one in lessons()] == [("1", "H200"), ("1", "RTX 4090")]


def test_lessons_of_an_older_forecast_are_not_used(tmp_path: Path) -> None:
    old = {"key": "1", "device": "H200", "recipe": "mine", "memory": 1.3, "time": 1.3}
    write_json(store(), [old])
    assert correction("H200", lessons()) == Correction()
    finished(tmp_path, "mine", "1", peak_vram_bytes=round(9.97 * GIB))
    learn(tmp_path)
    assert correction("H200", lessons()).trainings == 1, "the training that still lies there is learnt from anew"


def test_what_the_driver_measured_is_set_beside_what_the_card_needs() -> None:
    found = {"peak_vram_bytes": 11.1 * GIB, "peak_vram_by": "nvidia-smi"}
    memory = compare(LIGER, find_gpu("H200"), found, None)[0]
    assert memory == pytest.approx(1, abs=0.03), "10.0 by PyTorch's count, 0.5 for CUDA, 0.2 of spare blocks, 0.3 of paged state"


def test_what_was_not_measured_teaches_nothing(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    finished(runs, "a", "1", steps=10, tokens=10 * 16 * 2048, seconds=60.0, peak_vram_bytes=None)
    finished(runs, "b", "2")
    finished(runs, "c", "3", device="Grace Ultra 9", steps=1, tokens=1, seconds=1.0)
    learn(runs)
    known = {one.recipe: one for one in lessons()}
    assert known["a"].memory is None and known["a"].time
    assert set(known) == {"a"}


def test_a_broken_file_of_lessons_is_no_obstacle() -> None:
    store().parent.mkdir(parents=True)
    store().write_text("[{}]")
    assert lessons() == []
    keep([Lesson("k", "H200", "r", 1.0, 1.0)])
    assert len(lessons()) == 1


def test_real_lengths_make_the_batch_that_is_compared() -> None:
    """The longest examples make the peak: with examples of 512 tokens the same measured peak is more than was foretold."""
    ledger = {"training": {"lengths": {"512": 400}}, "validation": {"lengths": {}}}
    found = {"peak_vram_bytes": 9.97 * GIB}
    full, short = (compare(LIGER, find_gpu("H200"), found, given)[0] for given in (None, ledger))
    assert full and short and full == pytest.approx(1, abs=0.01) and short > 1.2


def test_the_correction_reaches_the_plan(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("LOREWRIGHT_RUNS", str(tmp_path / "runs"))
    words = ["plan", str(repo / "configs/qlora_style_transfer.yaml"), "--runs", str(tmp_path / "runs"), "--gpu", "RTX 4090", "--json"]
    main(words)
    before = json.loads(capsys.readouterr().out)["forecast"]
    keep([Lesson(str(number), "RTX 4090", "r", 1.1, 1.5) for number in range(9)])
    main(words)
    after = json.loads(capsys.readouterr().out)["forecast"]
    assert after["basis"]["trainings"] == 9
    assert after["memory"]["allocated"] / before["memory"]["allocated"] == pytest.approx(1.1**0.9)
    assert after["time"]["training"] / before["time"]["training"] == pytest.approx(1.5**0.9, rel=0.05)
