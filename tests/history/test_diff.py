"""`diff` tells what changed between two runs, all of it and nothing else. The tools are stand-ins; what they leave is read as it is."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lorewright.history.compare import ABSENT, Change, changes, compare
from lorewright.history.kept import Kept
from lorewright.history.said import SHOWN, lines
from lorewright.history.told import groups
from lorewright.manifest import RECORD, note_benchmark
from tests.conftest import MakeRecipe
from tests.history.conftest import Said

KeptRun = Callable[..., Kept]


def told(said: Said, *runs: str) -> dict[str, dict[str, Any]]:
    """group -> key -> change, of `diff --json`."""
    code, out, _ = said("diff", *runs, "--json")
    assert code == 0
    return {group: {change.pop("key"): change for change in changed} for group, changed in json.loads(out)["changed"].items()}


def test_two_equal_runs_say_so(make_recipe: MakeRecipe, kept_run: KeptRun, said: Said, fake_tools: Path) -> None:
    file = make_recipe()
    kept_run(file)
    second = kept_run(file)
    _, out, _ = said("diff", "small")
    assert out.splitlines()[-1] == ("the two runs are equal in all that is known of them: recipe, data, versions, hardware, results, speed")
    assert len(out.splitlines()) == 4
    assert told(said, "small~1", str(file)) == {}
    shutil.rmtree(second.home / "extract")
    assert "manuscript texts/0.txt" in groups(second)["data"], "a run that skipped it tells it too, when the results are gone"


def test_only_what_differs_is_told(make_recipe: MakeRecipe, kept_run: KeptRun, said: Said, fake_tools: Path, tmp_path: Path,
                                   monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    file = make_recipe()
    first = kept_run(file)
    texts = tmp_path / "texts"
    (texts / "0.txt").write_text("Another scene. " * 200)
    (texts / "1.txt").unlink()
    (texts / "9.txt").write_text("A new scene. " * 200)
    monkeypatch.setenv("FAKE_EVAL_LOSS", "3.6")
    kept_run(file, "axolotl.learning_rate=1e-4", "axolotl.lora_r=16")
    found = told(said, "small")
    assert found["recipe"] == {"axolotl.learning_rate": {"new": 0.0001}, "axolotl.lora_r": {"old": 8, "new": 16}}
    files = {key: sorted(change) for key, change in found["data"].items() if key.startswith("manuscript")}
    assert files == {"manuscript texts/0.txt": ["new", "old"], "manuscript texts/1.txt": ["old"], "manuscript texts/9.txt": ["new"]}
    assert {"characters", "tokens"} <= set(found["data"])
    assert found["results"]["eval_loss"] == {"old": 4.5, "new": 3.6}
    assert {"made by extract", "made by prepare", "made by ledger"} <= set(found["results"])
    _, out, _ = said("diff", "small")
    assert "  axolotl.lora_r         8 → 16\n" in out and "  axolotl.learning_rate  only now: 0.0001\n" in out
    assert re.search(r"  eval_loss +4\.5 → 3\.6  \(-20\.0%\)\n", out)
    assert out.splitlines()[-1] == "equal: versions, hardware"
    shutil.rmtree(first.home / "extract")
    assert told(said, "small")["data"] == found["data"], "the manifest tells it when the results are gone"


def test_a_moved_tree_has_the_same_recipe(make_recipe: MakeRecipe, kept_run: KeptRun, said: Said, fake_tools: Path, tmp_path: Path) -> None:
    kept_run(make_recipe())
    moved = tmp_path / "moved"
    for name in ("texts", "base"):
        shutil.copytree(tmp_path / name, moved / name)
    text = (tmp_path / "small.yaml").read_text().replace(str(tmp_path), str(moved))
    (moved / "small.yaml").write_text(text)
    kept_run(moved / "small.yaml")
    assert set(told(said, "small")) <= {"speed"}


def test_a_forced_run_leaves_the_older_ones_facts(make_recipe: MakeRecipe, kept_run: KeptRun, said: Said, fake_tools: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """Both trainings have one fingerprint; the folder of the older one has been put aside."""
    file = make_recipe()
    monkeypatch.setenv("FAKE_EVAL_LOSS", "4.1")
    old = kept_run(file)
    monkeypatch.setenv("FAKE_EVAL_LOSS", "3.9")
    kept_run(file, force=True)
    assert told(said, "small")["results"]["eval_loss"] == {"old": 4.1, "new": 3.9}
    there = old.folder("train")
    assert there
    record = json.loads((there / RECORD).read_text())
    (there / RECORD).write_text(json.dumps(record | {"digest": "0123456789abcdef"}))
    folder = old.folder("train")
    assert folder and folder.name.startswith(f"{there.name}.replaced-"), "found by what it holds"


def test_another_environment_names_its_packages(make_recipe: MakeRecipe, kept_run: KeptRun, said: Said, fake_tools: Path,
                                                tmp_path: Path) -> None:  # fmt: skip
    file = make_recipe()
    old, new = kept_run(file), kept_run(file, "axolotl.lora_r=16")
    record = json.loads(new.file.read_text())
    key = record["steps"]["train"]["environment"].removeprefix("train-")
    for stage in ("ledger", "train", "merge"):
        record["steps"][stage]["environment"] = "train-0123456789ab"
    new.file.write_text(json.dumps(record))
    assert told(said, old.run, new.run)["versions"]["environment train"] == {"old": key, "new": "0123456789ab"}
    _, out, _ = said("diff", "small")
    assert f"which packages of train differ is not known: {key} is not on this machine" in out
    for name, version in ((key, "5.16.1"), ("0123456789ab", "5.17.0")):
        for package, number in (("transformers", version), ("torch", "2.13.0")):
            metadata = tmp_path / f"cache/lorewright/envs/train-{name}/lib/python3.11/site-packages/{package}-{number}.dist-info/METADATA"
            metadata.parent.mkdir(parents=True)
            metadata.write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {number}\n")
    _, out, _ = said("diff", "small")
    assert "  train: transformers 5.16.1 → 5.17.0\n" in out and "torch" not in out


def test_a_benchmark_is_told_of_every_run_with_the_results_it_measured(make_recipe: MakeRecipe, kept_run: KeptRun, said: Said,
                                                                       fake_tools: Path) -> None:  # fmt: skip
    file = make_recipe()
    first, second = kept_run(file), kept_run(file, "axolotl.lora_r=16")
    again = kept_run(file)
    facts = {"suite": "mine", "recall": 0.75, "kinds": {"fact": 1}, "mrr": None}
    note_benchmark(again.file, "answers", ("train",), facts)
    note_benchmark(second.file, "answers", ("train",), facts | {"recall": 0.875})
    assert groups(first)["results"]["answers suite"] == "mine"
    assert told(said, first.run, second.run)["results"]["answers recall"] == {"old": 0.75, "new": 0.875}


def test_nothing_and_null_are_two_things() -> None:
    assert list(changes({"a": None, "b": {"c": 1, "d": [1]}}, {"b": {"c": True, "d": [1]}, "e": {"f": 1}})) == [
        Change("a", None, ABSENT),
        Change("b.c", 1, True),
        Change("e", ABSENT, {"f": 1}),
    ]


def test_many_and_long_changes_stay_readable() -> None:
    prose = "The bell rang twice and nobody answered it, for the house was empty that winter. " * 3
    old = {
        "data": {f"file {n:02}": "a" * 64 for n in range(40)},
        "recipe": {"prompt": prose + "Wim went out.", "questions": ["One?", "Two?"]},
    }
    new = {
        "data": {f"file {n:02}": "b" * 64 for n in range(40)},
        "recipe": {"prompt": prose + "Wim stayed.", "questions": ["Two?", "Three?"]},
    }
    out = list(lines(("one", "other"), compare(old, new), {}))
    assert f"  … and {40 - SHOWN} more; --json tells all" in out
    assert "  file 00  aaaaaaaaaaaa → bbbbbbbbbbbb" in out
    assert "  prompt     …ty that winter. Wim went out. → …ty that winter. Wim stayed." in out
    assert [line for line in out if "?" in line] == ["    - One?", "    + Three?"]
    assert max(map(len, out)) < 180
