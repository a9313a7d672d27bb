"""What ./quickstart.sh does, on real Axolotl, vLLM, Chroma and embeddings."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.line.conftest import Line

pytestmark = pytest.mark.real


@pytest.mark.req("F3", "F4", "F5", "F6", "F7", "F8")
def test_it_ends_with_an_answer_the_passages_and_where_things_are(line: Line) -> None:
    shown = line.first
    assert "small demonstration model" in shown, "it says what to expect"
    assert "question  Describe Elena's cybernetic arm." in shown
    assert "characters/elena_pascoe.md · The arm" in shown
    assert "results   " in shown
    assert "manifest  " in shown
    answers = json.loads((line.latest("query") / "answers.json").read_text())
    assert answers[0]["text"].strip()
    assert answers[0]["usage"]["prompt_tokens"] > 200, "the lore stood in the prompt"


def test_a_second_run_skips_what_is_done(line: Line) -> None:
    for stage in ("prepare", "train", "merge", "ingest", "query"):
        assert f"{stage:<9} unchanged, skipped" in line.second
    assert "answers on" not in line.second, "no server was started for nothing"


def test_no_process_is_left(line: Line) -> None:
    left = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(line.runs) in command:
            left.append(command)
    records = [path.name for path in (line.runs / "services").glob("*.json")]
    assert not left or records, left  # the `served` fixture may have started its own meanwhile, which are recorded


@pytest.mark.req("F3")
def test_whole_documents_are_held_out(line: Line) -> None:
    def documents(name: str) -> set[str]:
        return {json.loads(text)["document"] for text in (line.latest("prepare") / f"{name}.jsonl").read_text().splitlines()}

    assert documents("validation")
    assert not documents("validation") & documents("training")
    assert len(documents("validation") | documents("training")) == 15


@pytest.mark.req("F4")
def test_training_really_learnt_and_its_curve_is_kept(line: Line) -> None:
    facts = json.loads((line.latest("train") / "step.json").read_text())["facts"]
    assert facts["final_loss"] < facts["first_loss"] - 0.1
    assert facts["final_eval_loss"] < facts["first_eval_loss"] - 0.1
    assert len(facts["loss_curve"]) == facts["steps"] > 15
    assert (line.latest("train") / "loss.png").stat().st_size > 5000


@pytest.mark.req("F4", "F5")
@pytest.mark.parametrize("stage", ["train", "merge"])
def test_adapter_and_merged_model_load_as_their_cards_say(line: Line, repo: Path, stage: str) -> None:
    """The code of the card, run in the folder it stands in, by peft and transformers alone."""
    folder = line.latest(stage) / {"train": "adapter", "merge": "merged"}[stage]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert str(line.runs) not in card and str(repo) not in card, "no path of this machine"
    code = card.split("```python\n")[1].split("```")[0].replace("path/to/starter", str(repo / "models" / "starter"))
    assert ("PeftModel" in code) == (stage == "train")
    code += """
chat = [{"role": "user", "content": "Write a scene at the harbour."}]
ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
print("SAID", repr(tokenizer.decode(model.generate(**ids, max_new_tokens=24, do_sample=False)[0][ids["input_ids"].shape[1]:])))
"""
    said = in_train_environment(code, folder)
    assert len(said.split("SAID ")[1].split()) > 8


@pytest.mark.req("F4")
def test_tensorboard_has_every_step(line: Line) -> None:
    code = """
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
found = EventAccumulator("tensorboard").Reload()
print("STEPS", [point.step for point in found.Scalars("train/loss")], "HELD", len(found.Scalars("eval/loss")))
"""
    facts = json.loads((line.latest("train") / "training.json").read_text())
    said = in_train_environment(code, line.latest("train"))
    assert f"STEPS {list(range(1, facts['steps'] + 1))} HELD 3" in said


@pytest.mark.req("F4")
def test_what_is_told_of_the_training_is_true(line: Line) -> None:
    """training.json beside what the trainer itself says of its last checkpoint."""
    found = json.loads((line.latest("train") / "training.json").read_text())
    states = (json.loads(file.read_text()) for file in (line.latest("train") / "adapter").glob("checkpoint-*/trainer_state.json"))
    state = max(states, key=lambda one: one["global_step"])
    assert found["steps"] == state["global_step"]
    held = [entry["eval_loss"] for entry in state["log_history"] if "eval_loss" in entry]
    assert found["best_eval_loss"] == pytest.approx(min(held), abs=0.001)
    assert 0 < found["seconds"] < found["whole_seconds"]
    assert found["tokens_per_second"] * found["seconds"] == pytest.approx(found["tokens"], rel=0.1)
    assert (found["peak_vram_bytes"], found["energy_joules"], found["gpus"]) == (None, None, 0)
    assert "Was it worth it?" in (line.latest("train") / "report.html").read_text()


def in_train_environment(code: str, folder: Path) -> str:
    """What a program prints there, which knows nothing of lorewright."""
    import subprocess

    from lorewright import envs, process

    environment = process.tool_environment(envs.locate("train"), {"HF_HUB_OFFLINE": "1"})
    done = subprocess.run(
        [str(envs.locate("train").python), "-c", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.req("F5")
def test_the_adapters_weights_are_in_the_merged_model(line: Line, repo: Path) -> None:
    """merged = base + alpha / r * B A, for every adapted matrix, up to the rounding of bf16."""
    import torch
    from safetensors.torch import load_file

    base = load_file(repo / "models" / "starter" / "model.safetensors")
    merged = load_file(line.latest("merge") / "merged" / "model.safetensors")
    adapter = load_file(line.latest("train") / "adapter" / "adapter_model.safetensors")
    config = json.loads((line.latest("train") / "adapter" / "adapter_config.json").read_text())
    pairs = [name for name in adapter if name.endswith("lora_A.weight")]
    assert len(pairs) == 49
    for name in pairs:
        delta = adapter[name.replace("lora_A", "lora_B")].float() @ adapter[name].float() * config["lora_alpha"] / config["r"]
        key = name.removeprefix("base_model.model.").replace(".lora_A.weight", ".weight")
        assert delta.abs().max() > 1e-3, "the adapter moved this matrix"
        torch.testing.assert_close(merged[key].float(), base[key].float() + delta, atol=2e-3, rtol=1e-2)
        assert not torch.equal(merged[key], base[key])


@pytest.mark.req("F4")
def test_axolotl_yaml_is_usable_by_hand(line: Line) -> None:
    from lorewright import envs, process

    environment = process.tool_environment(envs.locate("train"), {"HF_HUB_OFFLINE": "1"})
    import subprocess

    done = subprocess.run(
        [str(envs.locate("train").path / "bin" / "axolotl"), "preprocess", "axolotl.yaml"], cwd=line.latest("train"), env=environment,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
