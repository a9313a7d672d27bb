"""The runner with stand-in tools: skips, resumes, records, locks, and owns the services it starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lorewright import process, services
from lorewright.errors import LorewrightError
from lorewright.locks import locked
from lorewright.manifest import latest_manifest, read_json
from lorewright.runner import Choice, execute
from lorewright.stages import Run

RunOf = Callable[..., Run]
ARTIFACTS = ("extract", "prepare", "ledger", "train", "merge")


def calls(file: Path) -> list[dict[str, Any]]:
    """What was asked of the stand-ins, the ledger's looks at the set apart."""
    found = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [call for call in found if call["argv"][0] != "ledger"]


def actions(run: Run) -> dict[str, str]:
    record = latest_manifest(run.paths.manifests)
    assert record
    return {name: facts["action"] for name, facts in record["steps"].items()}


@pytest.mark.req("F4", "F5")
def test_a_run_makes_everything_and_the_next_skips_it(
    make_recipe, run_of: RunOf, fake_tools: Path, capfd: pytest.CaptureFixture[str]
) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    run = run_of(file)
    execute(run)
    assert actions(run) == dict.fromkeys(ARTIFACTS, "made")
    assert (run.done["merge"] / "merged" / "config.json").exists()
    assert "trained from step 0" in (run.done["merge"] / "merged" / "tokenizer.json").read_text(), "the trained tokenizer is kept"
    assert [call["argv"][0] for call in calls(fake_tools)] == ["train", "merge-lora"]
    assert calls(fake_tools)[0]["offline"] == "1", "a model in a folder needs no hub"
    assert calls(fake_tools)[0]["threads"] == str(len(os.sched_getaffinity(0))), "accelerate would train with one thread"
    again = run_of(file)
    execute(again)
    assert actions(again) == dict.fromkeys(ARTIFACTS, "skipped")
    assert len(calls(fake_tools)) == 2
    assert "unchanged, skipped" in capfd.readouterr().err


def test_what_changed_decides_what_is_made_again(make_recipe, run_of: RunOf, fake_tools: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    execute(run_of(file))
    retrained = run_of(file, "axolotl.lora_r=16")
    execute(retrained)
    assert actions(retrained) == {"extract": "skipped", "prepare": "skipped", "ledger": "made", "train": "made", "merge": "made"}
    (tmp_path / "texts" / "0.txt").write_text("A different scene. " * 200)
    reprepared = run_of(file)
    execute(reprepared)
    assert actions(reprepared)["prepare"] == actions(reprepared)["train"] == "made"
    back = run_of(file)
    os.utime(tmp_path / "texts" / "0.txt")
    execute(back)
    assert set(actions(back).values()) == {"skipped"}, "a new date is not a new text"


def test_force_makes_it_again_and_keeps_the_old(make_recipe, run_of: RunOf, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    execute(run_of(file))
    forced = run_of(file)
    execute(forced, Choice(only=("train",), force=True))
    assert actions(forced) == {"extract": "skipped", "prepare": "skipped", "ledger": "skipped", "train": "made"}
    assert len(list(forced.done["train"].parent.glob("*.replaced-*"))) == 1


def test_single_stages_want_what_they_need(make_recipe, run_of: RunOf, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    with pytest.raises(LorewrightError, match=r"ledger needs prepare, which has not been run yet; run it first: ./lorewright run"):
        execute(run_of(file), Choice(only=("train",)))
    execute(run_of(file), Choice(only=("prepare",)))
    assert calls(fake_tools) == []
    execute(run_of(file), Choice(only=("train",)))
    assert [call["argv"][0] for call in calls(fake_tools)] == ["train"]
    with pytest.raises(LorewrightError, match="has no stage 'bake'"):
        execute(run_of(file), Choice(first="bake"))


def test_from_takes_earlier_stages_as_they_are(
    make_recipe, run_of: RunOf, fake_tools: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    execute(run_of(file))
    (tmp_path / "texts" / "0.txt").write_text("A different scene. " * 200)
    run = run_of(file, "axolotl.lora_r=32")
    before = run.paths.latest(run.plan.step("prepare")).resolve()
    execute(run, Choice(first="train"))
    assert run.done["prepare"] == before
    assert actions(run)["train"] == "made"
    assert "extract   the recipe or its inputs have changed since" in capfd.readouterr().err


@pytest.mark.req("F4")
def test_a_killed_training_goes_on_from_its_newest_whole_checkpoint(
    make_recipe, run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    monkeypatch.setenv("FAKE_AXOLOTL", "die 3")
    run = run_of(file)
    with pytest.raises(LorewrightError, match="axolotl train failed"):
        execute(run)
    partial = next((run.paths.home / "train").glob("*.partial"))
    broken = partial / "adapter" / "checkpoint-3"
    (broken / "trainer_state.json").write_text('{"global_st')
    assert latest_manifest(run.paths.manifests)["status"] == "failed"  # type: ignore[index]
    monkeypatch.delenv("FAKE_AXOLOTL")
    run = run_of(file)
    execute(run)
    assert actions(run) == {"extract": "skipped", "prepare": "skipped", "ledger": "skipped", "train": "made", "merge": "made"}
    assert "trained from step 2" in (run.done["train"] / "adapter" / "adapter_model.safetensors").read_text(), (
        "the half-written one is not taken"
    )
    facts = read_json(run.done["train"] / "step.json")["facts"]
    assert facts["resumed_from_step"] == 2
    assert [epoch for epoch, _ in facts["loss_curve"]] == [0.25, 0.5, 0.75, 1.0], "the curve is whole, no step twice"
    assert not partial.exists()


@pytest.mark.req("F4")
def test_known_failures_come_with_their_remedy(make_recipe, run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("FAKE_AXOLOTL", "fail")
    run = run_of(make_recipe(train={"on_out_of_memory": []}))
    with pytest.raises(LorewrightError) as problem:
        execute(run)
    assert "the GPU ran out of memory" in problem.value.what
    assert "allow more of them there (sequence_len, rank and attention_only change the result)" in problem.value.remedy
    assert problem.value.tail[-1].startswith("torch.OutOfMemoryError")
    assert Path(problem.value.where) == run.paths.log("train")


def test_second_writer_is_told_who_holds_the_recipe(make_recipe, run_of: RunOf, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    run = run_of(make_recipe())
    with locked(run.paths), pytest.raises(LorewrightError, match=rf"is being run by pid {os.getpid()} since"):
        execute(run)


def test_manifest_tells_sources_hashes_versions_and_timings(make_recipe, run_of: RunOf, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    run = run_of(make_recipe())
    record = json.loads(execute(run).read_text())
    train = record["steps"]["train"]
    assert record["status"] == "finished"
    assert train["seconds"] > 0
    assert train["facts"]["final_loss"] == 2.0
    assert train["facts"]["trainable_parameters"] == 1000
    assert set(train["outputs"]) == {"adapter/adapter_model.safetensors", "adapter/adapter_config.json", "axolotl.yaml"}
    step = read_json(run.done["extract"] / "step.json")
    assert len(step["inputs"]) == 4
    assert all(len(value) == 64 for value in step["inputs"].values())
    assert step["environment"].startswith("core-")


def test_rendered_configuration_works_by_hand_after_the_rename(make_recipe, run_of: RunOf, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    import yaml

    run = run_of(make_recipe())
    execute(run)
    config = yaml.safe_load((run.done["train"] / "axolotl.yaml").read_text())
    assert (run.done["train"] / config["datasets"][0]["path"]).resolve() == run.done["prepare"].resolve() / "training.jsonl"
    assert (run.done["train"] / config["output_dir"]).is_dir()


def test_serving_untrained_says_so_and_never_trains(make_recipe, run_of: RunOf, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LorewrightError, match="serve needs merge, which has not been run yet"):
        execute(run_of(make_recipe()), Choice(services=("serve",)))
    assert calls(fake_tools) == []


@pytest.mark.req("F6")
def test_serve_starts_stays_is_found_again_and_stops(make_recipe, run_of: RunOf, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    execute(run_of(file))
    run = run_of(file)
    record = run.paths.service(run.plan.step("serve"))
    try:
        execute(run, Choice(services=("serve",)))
        facts = services.running(record)
        assert facts and facts["owner"] is None
        assert str(run.done["merge"] / "merged") in calls(fake_tools)[-1]["config"]
        again = run_of(file)
        execute(again, Choice(services=("serve",)))
        assert actions(again)["serve"] == "found running"
        assert services.running(record)["pid"] == facts["pid"]  # type: ignore[index]
        with pytest.raises(LorewrightError, match="started with other settings; stop it with ./lorewright stop serve"):
            execute(run_of(file, "vllm.max_num_seqs=2"), Choice(services=("serve",)))
    finally:
        services.stop_service(record)
    assert process.members(facts) == []


def test_failing_service_is_not_left_behind(make_recipe, run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    execute(run_of(file))
    monkeypatch.setenv("FAKE_VLLM", "fail")
    run = run_of(file)
    with pytest.raises(LorewrightError, match="the model fills the memory that vLLM may use; nothing is left"):
        execute(run, Choice(services=("serve",)))
    assert not run.paths.service(run.plan.step("serve")).exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from lorewright.plan import Paths, make_plan
from lorewright.progress import Console
from lorewright.recipe import load
from lorewright.runner import Choice, _Runner
from lorewright.stages import Run
recipe = load(sys.argv[1])
run = Run(recipe, make_plan(recipe), Paths(Path(sys.argv[2]), recipe.name), Console())
runner = _Runner(run, Choice(only=("none",)))
runner.all()
runner._service(run.plan.step("serve"), keep=False)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_service_of_a_killed_run_is_taken_over_and_ended(make_recipe, run_of: RunOf, fake_tools: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    execute(run_of(file))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(file), str(tmp_path / "runs")], env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert done.returncode == -9
    run = run_of(file)
    record = run.paths.service(run.plan.step("serve"))
    orphan = services.running(record)
    assert orphan and not process.owner_alive(orphan)
    from lorewright.runner import _Runner

    runner = _Runner(run, Choice(only=("none",)))
    runner.all()
    runner._service(run.plan.step("serve"), keep=False)
    assert services.running(record)["pid"] == orphan["pid"], "it is used, not started twice"  # type: ignore[index]
    runner.stop_started()
    assert process.members(orphan) == []


def test_a_stage_folder_without_its_record_is_not_trusted(make_recipe, run_of: RunOf, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    execute(run_of(file))
    run = run_of(file)
    (run.paths.latest(run.plan.step("train")) / "step.json").unlink()
    with pytest.raises(LorewrightError, match="has lost its step.json"):
        execute(run)


def test_a_moved_runs_folder_is_still_whole(make_recipe, run_of: RunOf, fake_tools: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from lorewright.plan import Paths

    file = make_recipe()
    execute(run_of(file))
    shutil.move(tmp_path / "runs", tmp_path / "elsewhere")
    run = run_of(file)
    run.paths = Paths(tmp_path / "elsewhere", run.recipe.name)
    execute(run)
    assert actions(run) == dict.fromkeys(ARTIFACTS, "skipped")
    assert run.paths.latest(run.plan.step("merge")).exists()


def test_equal_recipes_under_two_names_are_two_servers(make_recipe, run_of: RunOf, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    one, two = run_of(make_recipe("one")), run_of(make_recipe("two"))
    assert one.plan.step("serve").part != two.plan.step("serve").part, "each is served under its own name"


def test_a_missing_base_model_is_told_before_anything_is_made(make_recipe, run_of: RunOf, fake_tools: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run = run_of(make_recipe())
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(LorewrightError, match=r"base: no such file or folder"):
        execute(run)
    assert calls(fake_tools) == []


def test_a_moved_base_model_is_merged_from_its_new_place(make_recipe, run_of: RunOf, fake_tools: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    execute(run_of(file), Choice(only=("prepare", "train")))
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "base", tmp_path / "elsewhere" / "base")
    run = run_of(file, f"base_model={tmp_path / 'elsewhere' / 'base'}")
    execute(run)
    assert actions(run) == {"extract": "skipped", "prepare": "skipped", "ledger": "skipped", "train": "skipped", "merge": "made"}


def test_an_orphaned_trainer_is_ended_before_its_checkpoints_are_judged(make_recipe, run_of: RunOf, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    from lorewright.manifest import write_json
    from lorewright.runner import _Runner

    run = run_of(make_recipe())
    execute(run, Choice(only=("prepare",)))
    runner = _Runner(run, Choice(only=("prepare",)))
    runner.all()
    partial = run.paths.partial(run.plan.step("train"), runner._fingerprint(run.plan.step("train")))
    code = "import time; from pathlib import Path; c = Path('adapter/checkpoint-9'); c.mkdir(parents=True); (c / 'adapter_model.safetensors').write_bytes(b'0123456789'); time.sleep(60)"
    partial.mkdir(parents=True)
    orphan = process.spawn(
        [sys.executable, "-c", code], os.environ, partial, subprocess.DEVNULL, lambda facts: write_json(partial / process.RECORD, facts)
    )
    while not (partial / "adapter/checkpoint-9/adapter_model.safetensors").exists():
        assert orphan.poll() is None
    execute(run_of(run.recipe.file))
    process.reap(orphan.pid)
    assert orphan.returncode == -15
    assert [call["argv"][0] for call in calls(fake_tools)] == ["train", "merge-lora"]


def test_a_proxy_in_the_environment_is_not_used_for_our_own_servers(
    make_recipe, run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    file = make_recipe()
    execute(run_of(file))
    run = run_of(file)
    try:
        execute(run, Choice(services=("serve",)))
    finally:
        assert services.stop_service(run.paths.service(run.plan.step("serve")))


def test_services_are_no_stages_of_a_run(make_recipe, run_of: RunOf, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LorewrightError, match=r"serve is a service, not a stage of a run; start it with ./lorewright serve"):
        execute(run_of(make_recipe()), Choice(only=("serve",)))
