"""A probe: what is trained, what is read of it, and how it replaces the estimate."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lorewright import process
from lorewright.cli import main
from lorewright.errors import LorewrightError
from lorewright.manifest import write_json
from lorewright.plan import Paths
from lorewright.recipe import load
from lorewright.runner import Choice, execute
from lorewright.serving.gpu import Card
from lorewright.stages import Run
from lorewright.stages import probe as probe_stage
from lorewright.stages.probe import probe
from lorewright.training.forecast.asked import of_recipe
from lorewright.training.forecast.gpus import find_gpu
from lorewright.training.forecast.memory import GIB
from lorewright.training.forecast.replaced import correction_by
from lorewright.training.probing import STEPS, Probed, longest, probe_config, read_probe

RunOf = Callable[..., Run]
CONFIG: dict[str, Any] = {
    "datasets": [{"path": "../prepare/1/training.jsonl", "type": "chat_template"}], "test_datasets": [{"path": "v", "split": "train"}],
    "sequence_len": 2048, "micro_batch_size": 4, "gradient_accumulation_steps": 4, "num_epochs": 3, "evals_per_epoch": 2,
    "saves_per_epoch": 2, "save_total_limit": 3, "hub_model_id": "me/mine", "lora_r": 64,
}  # fmt: skip


def test_length_and_batch_stay_and_little_else() -> None:
    small = probe_config(CONFIG, "training.jsonl", "validation.jsonl")
    assert (small["sequence_len"], small["micro_batch_size"], small["lora_r"]) == (2048, 4, 64)
    assert (small["gradient_accumulation_steps"], small["max_steps"], small["eval_steps"], small["save_strategy"]) == (
        2,
        STEPS,
        STEPS,
        "no",
    )
    assert small["datasets"] == [{"path": "training.jsonl", "type": "chat_template"}]
    assert small["test_datasets"] == [{"path": "validation.jsonl", "split": "train"}]
    assert not {"evals_per_epoch", "saves_per_epoch", "hub_model_id"} & set(small)
    assert "test_datasets" not in probe_config(CONFIG | {"evals_per_epoch": None}, "t", None)


def test_the_longest_examples_are_taken_first(tmp_path: Path) -> None:
    ledger = tmp_path / "samples.jsonl"
    made = [
        ("training", 1, 90, "kept"),
        ("training", 2, 700, "kept"),
        ("validation", 1, 800, "kept"),
        ("training", 3, 900, "dropped"),
        ("training", 4, 300, "truncated"),
    ]
    ledger.write_text("".join(json.dumps({"split": s, "line": n, "tokens": t, "fate": f}) + "\n" for s, n, t, f in made))
    assert longest(ledger, "training", 2) == [(2, 700), (4, 300)]
    assert longest(ledger, "training", 4)[-1] == (2, 700), "a small set fills the batch again"
    with pytest.raises(LorewrightError, match="no examples"):
        longest(ledger, "other", 1)


def test_a_step_is_the_median_without_the_first() -> None:
    points = [{"eval_loss": 4.0, "at": 20.0, "memory/max_allocated (GiB)": 8.3}]
    points += [{"loss": 3.0, "at": at, "memory/max_allocated (GiB)": 9.97} for at in (61.0, 63.0, 66.0, 70.0, 75.0)]
    assert read_probe(points, {2048: 40}) == Probed(9.97 * GIB, 3.5, {2048: 40})
    assert read_probe([{"loss": 1.0, "at": at} for at in (1.0, 2.0, 3.0)], {}).peak is None
    with pytest.raises(LorewrightError, match="2 steps"):
        read_probe(points[:3], {})


@pytest.fixture
def made(make_recipe, run_of: RunOf, fake_tools: Path) -> Run:  # type: ignore[no-untyped-def]
    """A recipe whose set has been made, with stand-ins for the tools."""
    run = run_of(
        make_recipe(
            axolotl={"adapter": "lora", "lora_r": 8, "micro_batch_size": 2, "num_epochs": 1, "sequence_len": 512, "evals_per_epoch": 1}
        )
    )
    execute(run, Choice(only=("prepare",)))
    return run_of(run.recipe.file)


@pytest.mark.req("P6", "S2")
def test_a_probe_trains_its_own_copy_and_leaves_the_run_alone(made: Run, fake_tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}
    run_tool = probe_stage.process.run

    def keep(command: list[str], **words: Any) -> None:
        seen.update({file.name: file.read_text() for file in words["folder"].iterdir() if file.is_file()})
        run_tool(command, **words)

    monkeypatch.setattr(probe_stage.process, "run", keep)
    monkeypatch.setenv("FAKE_AXOLOTL", "curve 4 3 2 1 1")
    found = probe(made)
    assert found.peak == pytest.approx(9.97 * 2**30) and 0.01 < found.step < 5
    lengths = [len(json.loads(line)["messages"][-1]["content"].split()) for line in seen["training.jsonl"].splitlines()]
    assert len(lengths) == STEPS * 2 and lengths[0] == max(lengths)
    assert f"max_steps: {STEPS}" in seen["axolotl.yaml"] and "path: training.jsonl" in seen["axolotl.yaml"]
    assert "same_start.SameStart" in seen["axolotl.yaml"], "it is trained as the training itself, with our plugins"
    assert not (made.paths.home / "probe").exists() and not (made.paths.home / "train").exists()
    assert made.paths.log("probe").exists()


def test_a_killed_probes_trainer_is_ended_first(made: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made.paths.home / "probe"
    folder.mkdir()
    left = subprocess.Popen(["sleep", "60"], start_new_session=True)
    write_json(folder / process.RECORD, process.identity(left.pid))
    try:
        monkeypatch.setenv("FAKE_AXOLOTL", "curve 4 3 2 1 1")
        probe(made)
        assert left.poll() is not None
    finally:
        left.kill()
        left.wait()


def test_a_probe_that_does_not_fit_says_so(made: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_MEMORY", json.dumps([{"phase": "training", "step": 2, "until": "never"}]))
    with pytest.raises(LorewrightError, match="it does not fit: the probe ran out of memory while training") as problem:
        probe(made)
    assert "--gpu this" in problem.value.remedy and not (made.paths.home / "probe").exists()


def test_a_probe_wants_the_set(make_recipe, run_of: RunOf, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LorewrightError, match="has not been made yet") as problem:
        probe(run_of(make_recipe()))
    assert "./lorewright prepare" in problem.value.remedy


def test_without_a_card_it_says_why_it_cannot(make_recipe, monkeypatch: pytest.MonkeyPatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("LOREWRIGHT_ACCELERATOR", "cpu")
    assert main(["plan", str(make_recipe()), "--probe"]) == 1
    assert "no NVIDIA driver answers on this machine; name a GPU" in capsys.readouterr().err
    assert main(["plan", str(make_recipe()), "--probe", "--gpu", "H100"]) == 1
    assert "leave --gpu out" in capsys.readouterr().err


def test_what_was_measured_replaces_the_estimate(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    recipe, paths, gpu = (
        load(repo / "configs/qlora_style_transfer.yaml", ("axolotl.eval_batch_size=1",)),
        Paths(tmp_path, "q"),
        find_gpu("H200"),
    )
    now = of_recipe(recipe, paths, gpu).now
    half = Probed(now.peak.allocated * 1.2, 3.0, {1920: 40})
    measured = correction_by(half, now)
    assert measured.memory == pytest.approx(1.2)
    after = of_recipe(recipe, paths, gpu, measured=measured).now
    assert after.probed and after.allocated == pytest.approx(now.allocated * 1.2)
    assert after.training_seconds == pytest.approx(now.training_seconds * measured.time)


def test_the_model_is_not_shared_on_the_one_card_of_a_probe() -> None:
    shared = {"deepspeed": {"zero_optimization": {"stage": 3}}, "fsdp_version": 2, "fsdp_config": {"activation_checkpointing": True}}
    small = probe_config(CONFIG | shared | {"gradient_checkpointing": False}, "t", None)
    assert not set(shared) & set(small) and small["gradient_checkpointing"] is True
    assert "gradient_checkpointing" not in probe_config(CONFIG | {"fsdp_config": {"offload_params": False}}, "t", None)


@pytest.mark.parametrize(("seen", "devices", "name", "number"), [
    (None, 1, "RTX 4090", 1), (None, "all", "RTX 4090", 3), (None, 2, "RTX 4090", 2), ("2", "all", "H100", 1), ("2,0", 1, "H100", 1),
])  # fmt: skip
def test_this_machines_cards_as_a_training_takes_them(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, seen: str | None, devices: int | str, name: str, number: int
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if seen:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    names = ("NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 4090", "NVIDIA H100 80GB HBM3")
    here = [Card(str(place), f"GPU-{place}", of, 12000 + place, 11000) for place, of in enumerate(names)]
    monkeypatch.setattr("lorewright.serving.gpu.cards", lambda: here)
    words = ["--runs", str(tmp_path), "--set", f"train.devices={devices}", "--gpu", "this", "--json"]
    assert main(["plan", str(repo / "configs/starter.yaml"), *words]) == 0
    memory = (12002 if name == "H100" else 12000) * 2**20
    assert json.loads(capsys.readouterr().out)["forecast"]["gpu"] == {"name": name, "memory": memory, "devices": number}


def test_a_probe_on_several_cards_is_set_beside_one(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:  # type: ignore[no-untyped-def]
    """One card has measured what was computed for one: then the forecast for two stands as it was computed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("lorewright.cli.plan.accelerator", lambda: "cuda")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    here = [Card(str(place), f"GPU-{place}", "NVIDIA GeForce RTX 4090", 0, 0) for place in range(2)]
    monkeypatch.setattr("lorewright.serving.gpu.cards", lambda: here)
    file, paths = repo / "configs/lora_style_transfer_fsdp2.yaml", Paths(tmp_path, "lora_style_transfer_fsdp2")
    alone = of_recipe(load(file), paths, find_gpu("RTX 4090")).now
    peak = max(peak.allocated for peak in alone.phases if peak.phase != "loading")
    monkeypatch.setattr("lorewright.stages.probe.probe", lambda run: Probed(peak, 3.0, {1024: 40}))
    assert main(["plan", str(file), "--runs", str(tmp_path), "--probe", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["forecast"]
    assert found["gpu"]["devices"] == 2 and found["basis"]["memory_factor"] == pytest.approx(1)


@pytest.mark.real
def test_real_axolotl_steps_on_a_processor(repo: Path, tmp_path: Path, run_of: RunOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flow and the time, with the starter model; a processor tells no peak."""
    monkeypatch.setenv("LOREWRIGHT_ACCELERATOR", "cpu")
    run = run_of(repo / "configs/starter.yaml", "axolotl.micro_batch_size=2")
    execute(run, Choice(only=("prepare",)))
    ledger = json.loads((run.paths.latest(run.plan.step("ledger")) / "ledger.json").read_text())["training"]
    found = probe(run_of(repo / "configs/starter.yaml", "axolotl.micro_batch_size=2"))
    assert found.peak is None and 0.05 < found.step < 60
    assert max(found.lengths) == max(map(int, ledger["lengths"])) and sum(found.lengths.values()) == 2 * STEPS
