"""`run --smoke` with stand-in tools: every stage, apart from the real run, told at the end; and the estimate of the whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lorewright.cli import main
from lorewright.manifest import latest_manifest
from lorewright.recipe import load
from lorewright.smoke import small_of
from lorewright.smoke.seen import Took, evaluations, whole_training

MakeRecipe = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def run(file: Path, runs: Path, *words: str) -> int:
    return main(["run", str(file), "--runs", str(runs), *words])


def actions(runs: Path, name: str) -> dict[str, str]:
    record = latest_manifest(runs / name / "manifests")
    assert record
    return {step: facts["action"] for step, facts in record["steps"].items()}


def tree(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.req("S3")
def test_every_stage_runs_apart_from_the_real_run(make_recipe: MakeRecipe, fake_tools: Path, runs: Path, capfd: Capture) -> None:
    file = make_recipe()
    assert run(file, runs) == 0
    real = tree(runs / "small")
    capfd.readouterr()
    assert run(file, runs, "--smoke") == 0
    shown = capfd.readouterr()
    said = [line for line in shown.err.splitlines() if line.startswith("smoke ")]
    assert len(said) == 2
    assert said[0].startswith("smoke     smaller: all source files, at most 24 examples, 4 steps of one micro-batch")
    assert "kept apart in runs/small-smoke" in said[1]
    assert "a voice wants" not in shown.err, "few examples are what was asked for"
    assert "\nevery stage ran: extract " in shown.out
    assert re.search(r", serve \d+ s, ", shown.out), "the server came up once, though no question is asked"
    assert shown.out.splitlines()[-1].startswith("the whole run: about ")
    made = dict.fromkeys(("extract", "prepare", "ledger", "train", "merge"), "made")
    assert actions(runs, "small-smoke") == made | {"serve": "started"}
    assert tree(runs / "small") == real, "nothing of the real run is touched"
    assert list((runs / "services").glob("*.json")) == [], "the server is ended again"
    config = (runs / "small-smoke/latest/train/axolotl.yaml").read_text()
    assert "max_steps: 4" in config and "adapter: lora" in config
    assert run(file, runs) == 0
    assert set(actions(runs, "small").values()) == {"skipped"}, "the real run is as it was"
    assert "max_steps" not in (runs / "small/latest/train/axolotl.yaml").read_text()


def test_the_second_time_only_what_changed_runs_and_force_all(
    make_recipe: MakeRecipe, fake_tools: Path, runs: Path, capfd: Capture
) -> None:
    file = make_recipe()
    run(file, runs, "--smoke")
    capfd.readouterr()
    run(file, runs, "--smoke")
    shown = capfd.readouterr().out
    assert "\nevery stage ran: serve " in shown
    assert "unchanged since an earlier smoke run: extract, prepare, ledger, train, merge; --force makes them again" in shown
    run(file, runs, "--smoke", "--force")
    assert "unchanged since" not in capfd.readouterr().out
    assert set(actions(runs, "small-smoke").values()) == {"made", "started"}


def test_a_part_of_it_says_what_did_not_run(make_recipe: MakeRecipe, fake_tools: Path, runs: Path, capfd: Capture) -> None:
    file = make_recipe()
    assert run(file, runs, "--smoke", "--from", "train") == 1
    assert capfd.readouterr().err.rstrip().endswith(f"run it first: ./lorewright run {file} --smoke")
    assert run(file, runs, "--smoke", "--only", "prepare") == 0
    assert "\nran, but not train, merge, serve: extract " in capfd.readouterr().out
    assert run(file, runs, "--smoke", "--from", "train") == 0
    assert "\nevery stage ran: train " in capfd.readouterr().out
    assert main(["status", str(file), "--runs", str(runs)]) == 0
    shown = capfd.readouterr().out
    assert "small: not run yet" in shown and "small-smoke: finished" in shown


def test_what_breaks_is_told_as_in_the_real_run(
    make_recipe: MakeRecipe, fake_tools: Path, runs: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "fail")
    assert run(make_recipe(), runs, "--smoke") == 1
    shown = capfd.readouterr()
    assert "the model fills the memory that vLLM may use" in shown.err
    assert "every stage ran" not in shown.out


def test_the_whole_is_estimated_by_what_was_seen(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    """Ten times the text and four micro-batches a step: 20 examples seen of 100, 16 of them trained, 2 s a micro-batch after the first."""
    axolotl = {"adapter": "lora", "gradient_accumulation_steps": 4, "micro_batch_size": 2, "num_epochs": 3, "evals_per_epoch": 2}
    file = make_recipe(axolotl=axolotl)
    small = small_of(load(file))
    small = type(small)(small.recipe, small.whole, type(small.manuscripts)((), 1, 10, 1000, 10_000), small.lore)
    found = {
        "prepare": Took(1, {"training": 16, "validation": 4, "examples": 100}),
        "ledger": Took(1, {"samples": 16, "tokens": 1600, "devices": 1}),
        "train": Took(30.0, {"steps": 4}),
    }
    points = [{"loss": 3.0, "step": step, "at": at} for step, at in enumerate((15.0, 17.0, 19.0, 21.0), 1)]
    points.append({"eval_loss": 3.0, "step": 4, "eval_runtime": 2.0, "at": 23.0})
    samples = 16 * 100 * 10 // 20  # 800
    number = samples * 3 // (2 * 4)  # 300
    seconds = (30 - 4 * 2 - 2) + number * 4 * 2.0 + 6 * 2.0 * 50
    assert whole_training(small, found, points) == (number, pytest.approx(seconds))
    assert whole_training(small, found, []) == (number, None)
    again = [*points[:2], *({**point, "attempt": 2.0, "at": point["at"] - 12.0} for point in points[2:])]
    assert whole_training(small, found, again) == (number, pytest.approx(seconds)), "the second attempt's clock begins at 0"
    shared = whole_training(replace(small, cards=2), found, points)
    assert shared == (number, pytest.approx(seconds - number * 2 * 2.0)), "two cards share a step's four micro-batches"
    train = replace(small.whole.train, keep_batch=False)
    assert whole_training(replace(small, whole=replace(small.whole, train=train), cards=2), found, [])[0] == number // 2


def test_parts_of_the_estimate() -> None:
    assert [
        evaluations(given, 100) for given in ({}, {"eval_steps": 30}, {"eval_steps": 0.25}, {"evals_per_epoch": 2, "num_epochs": 3})
    ] == [0, 3, 4, 6]
