"""A run is found by whatever a person has at hand, and where none is meant the near ones are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lorewright.errors import LorewrightError
from lorewright.history.naming import find_run
from lorewright.manifest import RECORD

RUNS = {"starter": ("20261122T001652.001-10", "20261122T003000.002-11"), "winter": ("20261123T081500.003-12",)}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two recipes that were run; both runs of the starter found the same training."""
    for recipe, names in RUNS.items():
        for name in names:
            file = tmp_path / "runs" / recipe / "manifests" / f"{name}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            step = {"action": "skipped", "fingerprint": "ab12", "digest": "cd34"}
            file.write_text(json.dumps({"run": name, "recipe": {"recipe": recipe}, "plan": ["train"], "steps": {"train": step}}))
        folder = tmp_path / "runs" / recipe / "train" / "ab12"
        folder.mkdir(parents=True)
        (folder / RECORD).write_text(json.dumps({"digest": "cd34"}))
    (tmp_path / "runs" / "starter" / "latest").mkdir()
    (tmp_path / "runs" / "starter" / "latest" / "train").symlink_to("../train/ab12")
    return tmp_path / "runs"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("starter", RUNS["starter"][1]),
        ("starter~1", RUNS["starter"][0]),
        (f"{RUNS['starter'][1]}~1", RUNS["starter"][0]),
        ("RUNS/starter/latest/train~1", RUNS["starter"][0]),
        ("winter", RUNS["winter"][0]),
        ("20261122T0016", RUNS["starter"][0]),
        (RUNS["starter"][1], RUNS["starter"][1]),
        (f"starter/{RUNS['starter'][0]}", RUNS["starter"][0]),
        ("RUNS/starter", RUNS["starter"][1]),
        (f"RUNS/starter/manifests/{RUNS['starter'][0]}.json", RUNS["starter"][0]),
        ("RUNS/starter/latest/train", RUNS["starter"][1]),
        ("RUNS/winter/train/ab12", RUNS["winter"][0]),
    ],
)
def test_a_run_is_found_by_what_is_at_hand(words: str, found: str, runs: Path) -> None:
    assert find_run(words.replace("RUNS", str(runs)), runs).run == found


def test_a_recipe_file_means_its_newest_run_though_its_manuscripts_are_gone(runs: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("recipe: winter\nbase_model: ./gone\ndata: {sources: [gone]}\n")
    assert find_run(str(file), runs).run == RUNS["winter"][0]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("wintre", "recipes that were run: winter; runs: winter/20261123T081500.003-12"),
        ("20261122T0", "2 runs begin with this; among them: starter/20261122T003000.002-11, starter/20261122T001652.001-10"),
        ("20261122T001652.001-99", "recipes that were run: starter, winter; runs: starter/20261122T001652.001-10"),
        ("starter~2", "starter has no run that is 2 before this one; its runs: starter/20261122T003000"),
        ("starter~0", "is no run: behind ~ stands how many runs before the newest; for example starter~1"),
        ("RUNS/starter/manifests", "no run is kept in this folder"),
    ],
)
def test_where_no_run_is_meant_the_near_ones_are_named(words: str, named: str, runs: Path) -> None:
    with pytest.raises(LorewrightError) as error:
        find_run(words.replace("RUNS", str(runs)), runs)
    assert named in str(error.value)


def test_where_nothing_was_run_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(LorewrightError, match="nothing has been run there yet; ./lorewright run RECIPE"):
        find_run("starter", tmp_path / "runs")
