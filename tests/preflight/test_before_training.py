"""The train stage's own look, and doctor with a recipe: all that stands in the way at once, and nothing is started."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lorewright.errors import LorewrightError, RecipeError
from lorewright.manifest import read_json
from lorewright.plan import make_plan
from lorewright.preflight import ledger as module
from lorewright.preflight.checks import of_training
from lorewright.preflight.ledger import ledger, standing
from lorewright.preflight.wanted import wanted_by
from lorewright.runner import Choice, execute
from lorewright.stages import Run
from tests.conftest import REPO, MakeRecipe
from tests.preflight.hub import Card, Hub
from tests.weights import write_model

RunOf = Callable[..., Run]
Lorewright = Callable[..., "subprocess.CompletedProcess[str]"]
SET = Choice(only=("prepare",))
TRAIN = Choice(only=("prepare", "train"))


def trainings(calls: Path) -> int:
    return sum(json.loads(line)["argv"][0] == "train" for line in calls.read_text().splitlines())


def cut_off(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])


@pytest.mark.req("P6", "F4")
def test_all_that_stands_in_the_way_at_once_and_nothing_is_started(
    make_recipe: MakeRecipe, run_of: RunOf, fake_tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_recipe()
    write_model(tmp_path / "base", template=None)
    cut_off(tmp_path / "base")
    usage = shutil.disk_usage(tmp_path)
    execute(run_of(file), SET)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage._replace(free=10))
    with pytest.raises(RecipeError) as problem:
        execute(run_of(file), TRAIN)
    model, template, disk = problem.value.problems
    assert model.startswith(f"train: model: {tmp_path}/base: model.safetensors has ")
    assert template.startswith("train: template: base has no chat template")
    assert disk.startswith("train: disk: less than 1 MiB free in ")
    assert trainings(fake_tools) == 0


def test_a_template_that_is_missing_stops_the_training(make_recipe: MakeRecipe, run_of: RunOf, fake_tools: Path, tmp_path: Path) -> None:
    file = make_recipe()
    write_model(tmp_path / "base", template=None)
    with pytest.raises(RecipeError, match="train: template: base has no chat template, and format passages is made of turns"):
        execute(run_of(file), TRAIN)
    assert trainings(fake_tools) == 0
    write_model(tmp_path / "base")
    execute(run_of(file), TRAIN)
    assert trainings(fake_tools) == 1


def test_a_warning_is_said_and_does_not_stop(
    make_recipe: MakeRecipe, run_of: RunOf, fake_tools: Path, card: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (card / "gpus").write_text("0, GPU-aaaa, Tesla T4, 15360, 14928, 580.95.05, 7.5\n")
    run = run_of(make_recipe(axolotl={"adapter": "lora", "bf16": "auto", "num_epochs": 1}))
    run.accelerator = "cuda"
    execute(run, TRAIN)
    assert "train     precision: Tesla T4 has no bf16 of its own" in capfd.readouterr().err
    assert trainings(fake_tools) == 1


def test_a_fallback_model_that_cannot_be_had_is_a_warning(hub: Hub, make_recipe: MakeRecipe, run_of: RunOf) -> None:
    steps = ["micro_batch", {"fallback_model": "org/small"}, {"fallback_model": "org/none"}]
    hub.models["org/small"] = Card()
    run = run_of(make_recipe(train={"on_out_of_memory": steps}))
    wanted = wanted_by(run.recipe, run.plan, run.paths, "cpu")
    assert wanted
    (found,) = [one for one in of_training(wanted) if one.name == "fallback"]
    assert (found.state, found.said.split(" that ")[0]) == ("warn", "the hub has no model org/none")


def test_the_sets_ledger_is_found_stale_or_refused(
    make_recipe: MakeRecipe, run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_recipe()

    def found(*overrides: str) -> tuple[str, str]:
        run = run_of(file, *overrides)
        wanted = wanted_by(run.recipe, run.plan, run.paths, "cpu")
        assert wanted
        one = ledger(wanted)
        return one.state, one.text

    assert found()[1].startswith("not made yet: ./lorewright prepare ")
    execute(run_of(file), SET)
    state, text = found()
    assert (state, text.split(",")[0].endswith(" samples")) == ("ok", True)
    assert found("data.chunk.max=60")[0] == "warn"
    assert "have changed since; ./lorewright prepare" in found("axolotl.sequence_len=600")[1]
    assert found("serve.port=8123", "axolotl.lora_r=8")[0] == "ok", "what does not change the set does not make it stale"
    with pytest.raises(LorewrightError):
        monkeypatch.setattr("lorewright.stages.ledger.check", _refuse)
        execute(run_of(file, "axolotl.sequence_len=64"), SET)
    monkeypatch.setattr(module, "check", _refuse)
    assert found("axolotl.sequence_len=64") == ("bad", "Axolotl drops 3 of 9 training samples; raise axolotl.sequence_len")


def _refuse(*_: object) -> None:
    raise LorewrightError("Axolotl drops 3 of 9 training samples", remedy="raise axolotl.sequence_len")


def test_lost_samples_are_a_warning(make_recipe: MakeRecipe, run_of: RunOf, fake_tools: Path) -> None:
    run = run_of(make_recipe())
    execute(run, SET)
    figures = run.done["ledger"] / "ledger.json"
    wanted = wanted_by(run.recipe, run.plan, run.paths, "cpu")
    assert wanted
    facts = read_json(figures)
    figures.write_text(json.dumps(facts | {"training": facts["training"] | {"truncated": 3, "dropped": 1}}))
    assert (ledger(wanted).state, ledger(wanted).said.split("; ")[1]) == ("warn", "3 cut, 1 dropped as too long")
    figures.write_text(json.dumps(facts | {"training": facts["training"] | {"kept": 0}}))
    assert ledger(wanted).state == "bad"


def test_with_from_an_older_ledger_is_told(
    make_recipe: MakeRecipe, run_of: RunOf, fake_tools: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = make_recipe()
    execute(run_of(file), TRAIN)
    assert "set:" not in capfd.readouterr().err
    execute(run_of(file, "axolotl.lora_r=4"), Choice(first="train"))
    assert "train     set: it was counted for an earlier recipe or another set; without --from it is counted anew" in capfd.readouterr().err


def test_nothing_is_hashed_for_what_was_never_made(make_recipe: MakeRecipe, run_of: RunOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lorewright.manifest.Hashes.file", None)
    run = run_of(make_recipe())
    assert standing(run.plan, run.paths, "ledger")[1] == "extract"


def test_a_standing_ledger_is_the_one_the_runner_makes(make_recipe: MakeRecipe, run_of: RunOf, fake_tools: Path) -> None:
    run = run_of(make_recipe())
    execute(run, SET)
    folder, unmade = standing(make_plan(run.recipe), run.paths, "ledger")
    assert (folder, unmade) == (run.done["ledger"], "")


@pytest.mark.req("F11", "R2")
def test_doctor_with_a_recipe_of_the_hub(hub: Hub, lorewright: Lorewright, make_recipe: MakeRecipe, tmp_path: Path) -> None:
    """As a user runs it: the token from .env, the hub's library with its own reading of the environment."""
    hub.models["org/voice-8B"], hub.tokens = Card(gated=True, allowed=("hf_mine",)), {"hf_mine"}
    file = make_recipe(base_model="org/voice-8B", data={"sources": ["texts"], "chunk": {"unit": "words", "min": 20, "max": 80}})
    begun = time.monotonic()
    done = lorewright("doctor", str(file), "--json")
    took = time.monotonic() - begun
    report = json.loads(done.stdout)
    (model,) = [check for check in report["checks"] if check["name"] == "model"]
    assert (done.returncode, report["ready"], model["state"]) == (1, False, "bad")
    assert model["said"] == "org/voice-8B is gated, and there is no token"
    assert hub.asked == ["GET /api/models/org/voice-8B", "HEAD /org/voice-8B/resolve/main/config.json"]
    assert hub.told == [], "nothing phones home"
    assert took < 4
    (tmp_path / ".env").write_text("HF_TOKEN=hf_mine\n")
    settings = os.environ | {"PYTHONPATH": str(REPO / "src"), "LOREWRIGHT_RUNS": str(tmp_path / "runs")}
    words = ["-m", "lorewright.cli", "doctor", str(file)]
    text = subprocess.run([sys.executable, *words], env=settings, cwd=tmp_path, capture_output=True, text=True)
    assert "ok    model        org/voice-8B may be fetched from the hub, 15.0 GiB to come" in text.stdout, text.stderr
    assert "hf_mine" not in text.stdout


def test_doctor_with_the_starter_needs_no_network(lorewright: Lorewright) -> None:
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "LOREWRIGHT_ACCELERATOR": "cpu"}
    done = lorewright("doctor", "configs/starter.yaml", **nowhere)
    assert done.returncode == 0, done.stdout
    assert "ok    model        " in done.stdout and "ok    set          not made yet" in done.stdout
    assert "warn" not in done.stdout and "MEND" not in done.stdout
