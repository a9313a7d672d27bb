"""Answers without a server: what is asked, what is kept, and what a fault costs. The real worker's loop, with a voice without a model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lorewright import envs
from lorewright.errors import LorewrightError
from lorewright.plan import model_part
from lorewright.serving.as_trained import Wishes, as_trained
from lorewright.serving.infer import _explained, infer
from lorewright.stages import Run
from lorewright.workers.infer import Drawn, Repeated, parted
from tests.conftest import FAKES, REPO, MakeRecipe

RunOf = Callable[..., Run]
BASE = Wishes(base_only=True, max_tokens=9)


@pytest.fixture
def calls(fake_tools: Path) -> Path:
    """The train environment's python is the worker's stand-in; the file of what it was asked."""
    python = envs.locate("train").path / "bin" / "python"
    python.write_text(f"#!{sys.executable}\n" + (FAKES / "infer_python.py").read_text())
    return fake_tools


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def prompts(folder: Path, *texts: str) -> Path:
    (folder / "prompts.txt").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return folder / "prompts.txt"


def trained(run: Run, *, system: str = "As trained.", part: object = None) -> Path:
    """What a finished training leaves, its set beside; returns its folder."""
    step = run.plan.step("train")
    folder, latest = run.paths.folder(step, "f" * 16), run.paths.latest(step)
    (folder / "adapter").mkdir(parents=True)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (folder / "adapter" / name).write_text("{}")
    (folder / "axolotl.yaml").write_text("datasets: [{path: ../../prepare/older/training.jsonl}]")
    (folder / "step.json").write_text(json.dumps({"part": part or dict(step.part)}, default=str))
    latest.parent.mkdir(parents=True)
    latest.symlink_to(folder)
    for name, said in (("older", system), ("newer", "Of a newer set.")):
        (run.paths.home / "prepare" / name).mkdir(parents=True)
        (run.paths.home / "prepare" / name / "style.json").write_text(json.dumps({"system_prompt": said}))
    run.paths.latest(run.plan.step("prepare")).symlink_to(run.paths.home / "prepare" / "newer")
    return folder


@pytest.mark.req("Z6")
def test_every_good_prompt_is_answered_and_the_others_are_told(
    make_recipe: MakeRecipe, run_of: RunOf, calls: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = [{"id": 7, "prompt": "One?"}, "Two?", {"words": "?"}, {"question": "x" * 300}, {"question": "Three?", "tags": ["bell"]}]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(one) + "\n" for one in asked) + "{\n")
    out = tmp_path / "new/answers.jsonl"
    infer(run_of(make_recipe()), tmp_path / "prompts.jsonl", out, BASE, batch=2)
    rows = lines(out)
    assert [(row["prompt"], row["answer"], row["finish"], row["tokens"]) for row in rows] == [
        (f"{word}?", f"Answer to {word}?", "stop", 1) for word in ("One", "Two", "Three")
    ]
    assert (rows[0]["id"], rows[2]["tags"]) == (7, ["bell"])
    assert all(row["seconds"] >= 0 for row in rows)
    assert [call["batch"] for call in lines(calls)] == [[["One?"], ["Two?"]], [["Three?"]]]
    said = capfd.readouterr().err
    assert f"left out: {tmp_path}/prompts.jsonl:3: has no prompt" in said
    assert "prompts.jsonl:6: is not JSON" in said
    assert "left out: prompts.jsonl:4: takes 300 tokens" in said
    assert "3 of 4 prompts answered; 3 left out; 3 tokens at " in said
    assert sorted(file.name for file in out.parent.iterdir()) == ["answers.jsonl", "answers.settings.json"]


@pytest.mark.req("Z6")
def test_what_is_answered_is_skipped_even_when_the_file_of_prompts_has_grown(
    make_recipe: MakeRecipe, run_of: RunOf, calls: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run, out = run_of(make_recipe()), tmp_path / "answers.jsonl"
    infer(run, prompts(tmp_path, "a", "b", "a"), out, BASE, batch=8)
    assert len({seed for call in lines(calls) for seed in call["seeds"]}) == 3, "a prompt that stands there twice is drawn twice"
    infer(run, prompts(tmp_path, "a", "b", "a"), out, BASE, batch=8)
    assert len(lines(calls)) == 1
    assert "3 of 3 prompts answered, 3 of them earlier" in capfd.readouterr().err
    infer(run, prompts(tmp_path, "new", "a", "b", "a"), out, BASE, batch=3)
    assert [row["prompt"] for row in lines(out)] == ["a", "b", "a", "new"]


@pytest.mark.req("Z6")
@pytest.mark.parametrize(
    ("mood", "told"),
    [
        ("die 3", "ran out of memory"), ("torn 3", "ran out of memory"), ("full 3", "File too large"),
        ("memory 3", "take a smaller --batch than 2 and run again: what is answered is kept"),
    ],
)  # fmt: skip
def test_a_fault_costs_the_batch_in_hand(
    mood: str, told: str, make_recipe: MakeRecipe, run_of: RunOf, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, out, texts = run_of(make_recipe()), tmp_path / "answers.jsonl", [f"prompt {n}" for n in range(9)]
    monkeypatch.setenv("FAKE_INFER", mood)
    with pytest.raises(LorewrightError) as error:
        infer(run, prompts(tmp_path, *texts), out, BASE, batch=2)
    assert told in "\n".join([*error.value.tail, str(error.value)])
    whole, _, torn = out.read_bytes().rpartition(b"\n")
    assert whole.count(b"\n") + 1 == (5 if torn else 4), "the two batches before it, and what of the third had reached the disk whole"
    assert bool(torn) == mood.startswith("torn")
    monkeypatch.setenv("FAKE_INFER", "")
    infer(run, prompts(tmp_path, *texts), out, BASE, batch=2)
    assert [row["prompt"] for row in lines(out)] == texts
    assert [words for call in lines(calls) for words in call["batch"]].count(["prompt", "0"]) == 1


@pytest.mark.req("Z6")
def test_kill_9_of_the_command_itself(make_recipe: MakeRecipe, calls: Path, tmp_path: Path) -> None:
    texts, out = [f"prompt {n}" for n in range(12)], tmp_path / "answers.jsonl"
    words = ["infer", str(make_recipe()), "--input", str(prompts(tmp_path, *texts)), "--output", str(out), "--base-only", "--batch", "2"]
    command = [sys.executable, "-m", "lorewright.cli", *words]
    settings = os.environ | {"PYTHONPATH": str(REPO / "src"), "LOREWRIGHT_RUNS": str(tmp_path / "runs"), "FAKE_INFER": "slow"}
    process = subprocess.Popen(command, env=settings, stderr=subprocess.PIPE, text=True)
    while not out.exists() or out.read_bytes().count(b"\n") < 4:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    done = subprocess.run(command, env=settings | {"FAKE_INFER": ""}, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, str(out)), done.stderr
    assert [row["prompt"] for row in lines(out)] == texts
    assert "12 of 12 prompts answered, " in done.stderr


def test_a_file_holds_the_answers_of_one_model_asked_in_one_way(
    make_recipe: MakeRecipe, run_of: RunOf, calls: Path, tmp_path: Path
) -> None:
    run, out, file = run_of(make_recipe()), tmp_path / "answers.jsonl", prompts(tmp_path, "a")
    infer(run, file, out, BASE, batch=1)
    other = Wishes(base_only=True, max_tokens=9, seed=1, sampling={"temperature": 0.0})
    with pytest.raises(LorewrightError, match="holds answers made with another sampling, seed; name another --output"):
        infer(run, file, out, other, batch=1)
    with pytest.raises(LorewrightError, match=r"prompts.txt: is there already, and no prompts.settings.json says how it was made"):
        infer(run, file, file, BASE, batch=1)
    assert file.read_text() == "a\n"
    assert len(lines(out)) == 1


def test_when_nothing_is_answered_the_reason_is_the_error(make_recipe: MakeRecipe, run_of: RunOf, calls: Path, tmp_path: Path) -> None:
    with pytest.raises(LorewrightError, match=r"no prompt was answered: prompts.txt:1: takes 300 tokens"):
        infer(run_of(make_recipe()), prompts(tmp_path, "x" * 300), tmp_path / "out.jsonl", BASE, batch=1)


@pytest.mark.req("Z6")
def test_the_newest_training_and_the_set_it_was_trained_on(
    make_recipe: MakeRecipe, run_of: RunOf, capfd: pytest.CaptureFixture[str]
) -> None:
    run = run_of(make_recipe(axolotl={"adapter": "qlora", "load_in_4bit": True, "trust_remote_code": True}))
    folder = trained(run)
    for adapter, wishes in (
        (folder / "adapter", Wishes()),
        ("", Wishes(base_only=True)),
        (folder / "adapter", Wishes(adapter=folder / "adapter")),
    ):
        asked = as_trained(run, wishes)
        assert asked.adapter == str(adapter)
        assert asked.settings["system"] == "As trained."
        assert bool(asked.settings["adapter"]) == bool(adapter)
    assert as_trained(run, Wishes(system="Mine.")).settings["system"] == "Mine."
    assert as_trained(run, Wishes()).settings["trust_remote_code"] is True
    assert "has changed" not in capfd.readouterr().err
    four_bit = {(accelerator, wish): _four_bit(run, accelerator, wish) for accelerator in ("cpu", "cuda") for wish in (None, True, False)}
    assert [key for key, value in four_bit.items() if value] == [("cpu", True), ("cuda", None), ("cuda", True)]


def _four_bit(run: Run, accelerator: str, wish: bool | None) -> bool:
    run.accelerator = accelerator
    return bool(as_trained(run, Wishes(four_bit=wish)).settings["four_bit"])


def test_a_recipe_that_has_changed_since(make_recipe: MakeRecipe, run_of: RunOf, capfd: pytest.CaptureFixture[str]) -> None:
    run = run_of(make_recipe())
    with pytest.raises(LorewrightError, match="nothing has been trained yet; ./lorewright run .*, or --base-only, or --adapter FOLDER"):
        as_trained(run, Wishes())
    assert (as_trained(run, BASE).adapter, as_trained(run, BASE).settings["system"]) == ("", "")
    assert "there is no training set yet whose system prompt could be used" in capfd.readouterr().err
    folder = trained(run, part={"model": model_part(run.recipe), "axolotl": {}})
    assert as_trained(run, Wishes()).adapter == str(folder / "adapter")
    assert "the recipe has changed since its training of " in capfd.readouterr().err
    (folder / "step.json").write_text(json.dumps({"part": {"model": {"base_model": "some/other-7B"}}}))
    with pytest.raises(LorewrightError, match="the newest training is of some/other-7B"):
        as_trained(run, Wishes())
    with pytest.raises(LorewrightError, match=r"texts: is no adapter's folder: it lacks adapter_config.json"):
        as_trained(run, Wishes(adapter=run.recipe.file.parent / "texts"))


@pytest.mark.req("P5", "Z6")
@pytest.mark.parametrize(
    ("data", "serve", "wish", "thinks"),
    [
        ({}, {}, None, None), ({}, {}, True, True), ({}, {}, False, False), ({}, {"thinking": False}, None, False),
        ({"format": "qa"}, {}, None, False), ({"format": "qa", "qa": {"thinking": "rows"}}, {}, None, True),
        ({"format": "qa"}, {"thinking": True}, None, True), ({"format": "qa"}, {"thinking": True}, False, False),
    ],
)  # fmt: skip
def test_qwen3_thinks_as_it_was_trained_unless_told(
    data: dict[str, Any], serve: dict[str, Any], wish: bool | None, thinks: bool | None, make_recipe: MakeRecipe, run_of: RunOf
) -> None:
    run = run_of(make_recipe(base_model="Qwen/Qwen3-14B", data={"sources": ["texts"]} | data, serve=serve))
    settings = as_trained(run, Wishes(base_only=True, thinking=wish, sampling={"min_p": 0.1})).settings
    on = {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "min_p": 0.1}
    assert settings["sampling"] == (on if thinks is not False else {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "min_p": 0.1})
    assert settings["template_settings"].get("enable_thinking") is thinks


def test_the_recipes_own_sampling_and_gpt_oss_effort(make_recipe: MakeRecipe, run_of: RunOf, capfd: pytest.CaptureFixture[str]) -> None:
    own = {"override_generation_config": {"temperature": 0.3, "presence_penalty": 1}, "default_chat_template_kwargs": {"kind": "x"}}
    run = run_of(make_recipe(base_model="openai/gpt-oss-20b", vllm=own))
    settings = as_trained(run, Wishes(base_only=True, thinking="low")).settings
    assert settings["sampling"] == {"temperature": 0.3, "top_p": 1.0}
    assert settings["template_settings"] == {"kind": "x", "reasoning_effort": "low"}
    assert "not used here: presence_penalty" in capfd.readouterr().err
    with pytest.raises(LorewrightError, match="on is nothing that gpt-oss takes; choose low, medium, high"):
        as_trained(run, Wishes(base_only=True, thinking=True))


def test_out_of_memory_is_told_with_what_is_left_to_try() -> None:
    log = "RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"

    def said(log: str, batch: int, *, four_bit: bool, gpu: bool) -> str:
        found = _explained(log, batch, four_bit=four_bit, gpu=gpu)
        assert found
        return f"{found.what}; {found.do}"

    assert said(log, 1, four_bit=False, gpu=False).startswith(
        "the machine ran out of memory; take a smaller --max-tokens or a smaller model"
    )
    assert "a smaller --batch than 8 or --4bit and run" in said("torch.OutOfMemoryError: x", 8, four_bit=False, gpu=True)
    assert "a smaller --batch than 8 and run" in said("CUDA out of memory", 8, four_bit=True, gpu=True)
    assert "does not fit the recipe's base_model" in said("size mismatch for x", 8, four_bit=False, gpu=False)


@pytest.mark.req("P5", "Z6")
@pytest.mark.parametrize(
    ("raw", "text", "thought", "answer"),
    [
        ("<think>\nWell.\n</think>\n\nYes.", "", "Well.", "Yes."), ("<think>\n\n</think>\n\nYes.", "", "", "Yes."),
        ("<think>\nStill at", "", "Still at", ""), (" as it is\n", "", "", " as it is\n"), ("", "", "", ""),
        ("<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes.\n\nNo.", "analysisHm.assistantfinalYes.", "Hm.", "Yes.\n\nNo."),
        ("<|channel|>analysis<|message|>Hm, cut", "analysisHm, cut", "Hm, cut", ""),
    ],
)  # fmt: skip
def test_thought_and_answer_are_parted(raw: str, text: str, thought: str, answer: str) -> None:
    assert parted(raw, text or raw) == (thought, answer)


@pytest.mark.req("Z6")
def test_what_stands_beside_a_prompt_changes_neither_its_penalty_nor_its_draw() -> None:
    import torch

    scores = torch.full((2, 8), 4.0)
    scores[1, 5] = -4.0
    after = Repeated(2.0, [2, 0])(torch.tensor([[7, 7, 5], [3, 5, 3]]), scores.clone())
    assert after[0].tolist() == [4, 4, 4, 4, 4, 2, 4, 4], "the two tokens of padding were not said"
    assert after[1].tolist() == [4, 4, 4, 2, 4, -8, 4, 4]
    wanted = torch.tensor([0.5, 0.3, 0.2, 0.0])
    together = Drawn(list(range(2000)), "cpu")(None, wanted.log().repeat(2000, 1)).argmax(1)
    assert together[7] == Drawn([7], "cpu")(None, wanted.log()[None]).argmax(1)[0]
    assert (together.bincount(minlength=4) / 2000 - wanted).abs().max() < 0.04
