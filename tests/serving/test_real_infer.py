"""Answers of a real model with a real adapter, in the train environment: the starter model, and an adapter of random weights."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lorewright import envs, process
from tests.conftest import REPO

pytestmark = pytest.mark.real
Call = Callable[..., "subprocess.CompletedProcess[str]"]
STARTER = REPO / "models" / "starter"
PROMPTS = [
    "Hello.",
    "Describe the harbour of Late at night, with the bells and the fog, in three sentences.",
    "Who is Elena?",
    "Go on: The clock",
]
ADAPTER = """
import sys, torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM
torch.manual_seed(3)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
model = get_peft_model(model, LoraConfig(r=8, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"))
for name, weight in model.named_parameters():
    if "lora_B" in name:
        torch.nn.init.normal_(weight, std=0.01)
model.save_pretrained(sys.argv[2])
"""


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    env = envs.ensure("train")
    command = [env.python, "-c", ADAPTER, str(STARTER), str(folder)]
    subprocess.run(command, env=process.tool_environment(env, {"HF_HUB_OFFLINE": "1"}), check=True, capture_output=True)
    return folder


@pytest.fixture
def ask(lorewright: Call, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Runs the verb on PROMPTS; its rows."""
    (tmp_path / "prompts.txt").write_text("".join(f"{prompt}\n" for prompt in PROMPTS))

    def call(name: str, *words: str) -> list[dict[str, Any]]:
        out = tmp_path / f"{name}.jsonl"
        given = ["--input", str(tmp_path / "prompts.txt"), "--output", str(out), "--max-tokens", "24", "--system-prompt", "Be brief."]
        done = lorewright("infer", "configs/starter.yaml", *given, *words, LOREWRIGHT_ACCELERATOR="cpu")
        assert done.returncode == 0, done.stderr
        assert f"{len(PROMPTS)} of {len(PROMPTS)} prompts answered" in done.stderr
        return [json.loads(line) for line in out.read_text().splitlines()]

    return call


@pytest.mark.req("Z6")
def test_the_adapter_speaks_and_a_batch_changes_nothing(ask: Callable[..., list[dict[str, Any]]], adapter: Path) -> None:
    chosen = ["--adapter", str(adapter), "--repetition-penalty", "1.3"]
    likeliest = [*chosen, "--temperature", "0"]
    together, alone = ask("together", *likeliest, "--batch", "4"), ask("alone", *likeliest, "--batch", "1")
    base = ask("base", *likeliest[2:], "--base-only", "--batch", "3")
    drawn, again = ask("drawn", *chosen, "--batch", "4"), ask("again", *chosen, "--batch", "3")
    texts = [[row["answer"] for row in rows] for rows in (together, alone, base, drawn, again)]
    assert [row["prompt"] for row in together] == PROMPTS
    assert all(texts[0])
    assert texts[0] == texts[1], "the likeliest words are the same alone and in a batch"
    assert texts[3] == texts[4], "and so is what was drawn"
    assert len({tuple(found) for found in texts}) == 3, "base, adapter, and drawn instead of likeliest, each say something else"
    assert {row["finish"] for rows in (together, base, drawn) for row in rows} <= {"stop", "length"}
    assert all(1 <= row["tokens"] <= 24 for row in together)


@pytest.mark.req("Z6")
def test_in_4_bits(ask: Callable[..., list[dict[str, Any]]], adapter: Path) -> None:
    rows = ask("four", "--adapter", str(adapter), "--temperature", "0", "--4bit")
    assert all(row["answer"] for row in rows)
