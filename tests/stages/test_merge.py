"""The merge stage with a stand-in for Axolotl: what is refused before it starts, and what it passed over."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lorewright.errors import LorewrightError
from lorewright.runner import Choice, execute
from lorewright.stages import Run

pytestmark = pytest.mark.req("F5")


@pytest.fixture
def trained(make_recipe: Callable[..., Path], run_of: Callable[..., Run], fake_tools: Path) -> Callable[[], Run]:
    """Makes runs of one recipe whose training is done."""
    file = make_recipe()
    execute(run_of(file), Choice(only=("prepare", "train")))
    return lambda: run_of(file)


def merges(calls: Path) -> int:
    return sum(json.loads(line)["argv"][0] == "merge-lora" for line in calls.read_text().splitlines())


def test_what_does_not_belong_together_is_refused_before_axolotl_starts(trained: Callable[[], Run], fake_tools: Path) -> None:
    run = trained()
    adapter = next((run.paths.home / "train").glob("*/adapter"))
    facts = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(facts | {"modules_to_save": ["lm_head"]}))
    with pytest.raises(LorewrightError, match="do not belong together: lm_head was trained whole, but its weights are not in"):
        execute(run, Choice(only=("merge",)))
    assert merges(fake_tools) == 0
    (adapter / "adapter_config.json").write_text(json.dumps(facts))
    execute(trained(), Choice(only=("merge",)))
    assert merges(fake_tools) == 1


def test_a_part_of_the_adapter_that_axolotl_passed_over_is_an_error(trained: Callable[[], Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_APPLIED", "0")
    run = trained()
    with pytest.raises(LorewrightError, match="Axolotl put the adapter into 0 of the 1 modules it was trained for"):
        execute(run, Choice(only=("merge",)))
    assert not [path for path in (run.paths.home / "merge").iterdir() if path.suffix != ".partial"]
    monkeypatch.delenv("FAKE_APPLIED")
    execute(trained(), Choice(only=("merge",)))


def test_what_an_interrupted_merge_has_left_is_not_in_the_next(trained: Callable[[], Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_APPLIED", "0")
    run = trained()
    with pytest.raises(LorewrightError):
        execute(run, Choice(only=("merge",)))
    left = next((run.paths.home / "merge").glob("*.partial/merged")) / "model-00007-of-00009.safetensors"
    left.write_text("half")
    monkeypatch.delenv("FAKE_APPLIED")
    run = trained()
    execute(run, Choice(only=("merge",)))
    assert not (run.done["merge"] / "merged" / left.name).exists()
