"""The CPU build of vLLM with the tiny model: starts that fail for known reasons, and voices that come and go while it runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lorewright import process
from lorewright.manifest import read_json
from lorewright.serving import adapters
from tests.conftest import REPO, free_port

pytestmark = pytest.mark.real


def lorewright(runs: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    settings = os.environ | {"PYTHONPATH": str(REPO / "src"), "LOREWRIGHT_RUNS": str(runs), "LOREWRIGHT_ACCELERATOR": "cpu"} | variables
    return subprocess.run([sys.executable, "-m", "lorewright.cli", *words], env=settings, capture_output=True, text=True, cwd=REPO)


def recipe(folder: Path, model: Path, **more: Any) -> Path:
    values = {"recipe": "voices", "base_model": str(model), "vllm": {"max_model_len": 2048, "max_num_seqs": 2}} | more
    values["serve"] = {"port": free_port(), "start_timeout": 300} | values.get("serve", {})
    file = folder / "voices.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


def make_adapter(folder: Path, seed: int) -> Path:
    """A LoRA of rank 4 on the tiny model's last projection, strong enough to change what it says."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    folder.mkdir(parents=True)
    place = "base_model.model.model.layers.1.mlp.down_proj"
    save_file(
        {f"{place}.lora_A.weight": torch.randn(4, 256), f"{place}.lora_B.weight": torch.randn(128, 4)}, folder / "adapter_model.safetensors"
    )
    facts = {"r": 4, "lora_alpha": 64, "peft_type": "LORA", "target_modules": ["down_proj"], "task_type": "CAUSAL_LM", "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(facts))
    return folder


@pytest.mark.req("F6")
def test_a_context_that_does_not_fit_comes_with_the_one_that_does(tiny_model: Path, tmp_path: Path) -> None:
    file = recipe(tmp_path, tiny_model, vllm={"max_model_len": 8192, "kv_cache_memory_bytes": 1_000_000})
    done = lorewright(tmp_path / "runs", "serve", str(file))
    assert done.returncode == 1
    told = done.stderr.strip().splitlines()[-1]
    assert "the cache for a context of 8192 tokens does not fit into the memory that is left; " in told, done.stderr
    fits = int(told.partition("--set vllm.max_model_len=")[2].partition(",")[0])
    assert 1000 < fits < 8192
    again = lorewright(tmp_path / "runs", "serve", str(file), "--set", f"vllm.max_model_len={fits}")
    stopped = lorewright(tmp_path / "runs", "stop")
    assert again.returncode == 0, "the remedy that was given helps"
    assert stopped.stdout.startswith("stopped serve")


@pytest.mark.req("F6")
def test_missing_weights_are_named(tiny_model: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(tiny_model, bare)
    (bare / "model.safetensors").unlink()
    done = lorewright(tmp_path / "runs", "serve", str(recipe(tmp_path, bare)))
    assert done.returncode == 1
    assert f"there are no weights in {bare}; the folder must hold model.safetensors" in done.stderr.splitlines()[-1], done.stderr


@pytest.mark.req("F6")
def test_cut_weights_are_named(tiny_model: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    shutil.copytree(tiny_model, cut)
    whole = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    done = lorewright(tmp_path / "runs", "serve", str(recipe(tmp_path, cut)))
    assert done.returncode == 1
    assert "a file of weights is broken or cut off" in done.stderr.splitlines()[-1], done.stderr


@pytest.fixture(scope="module")
def voices(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str, Path]]:
    """The tiny base with two voices, the sampling of a family, and gpt-oss's layer before it: (runs folder, address, adapters' folder)."""
    folder = tmp_path_factory.mktemp("voices")
    made = [make_adapter(folder / name, seed) for seed, name in enumerate(("elena", "wim", "late"))]
    serve = {"adapters": {"elena": str(made[0]), "wim": str(made[1])}, "preset": "gpt-oss", "thinking": "low"}
    file = recipe(folder, tiny_model, serve=serve)
    done = lorewright(folder / "runs", "serve", str(file))
    try:
        assert done.returncode == 0, done.stderr
        yield folder / "runs", f"http://127.0.0.1:{yaml.safe_load(file.read_text())['serve']['port']}", folder
    finally:
        record = next((folder / "runs" / "services").glob("*.json"))
        facts = read_json(record)
        assert len(process.members(facts)) > 1, "the engine is a process of its own"
        stopped = lorewright(folder / "runs", "stop")
        assert stopped.stdout.startswith("stopped serve"), stopped.stderr
        assert process.members(facts) == []


def say(url: str, model: str) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": "The tide clock of Late"}], "max_tokens": 16, "temperature": 0}
    request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as reply:
        return str(json.load(reply)["choices"][0]["message"]["content"])


@pytest.mark.req("F6")
def test_several_voices_on_one_base(voices: tuple[Path, str, Path]) -> None:
    _, url, folder = voices
    assert sorted(adapters.listed(url)) == ["elena", "voices", "wim"]
    answers = {name: say(url, name) for name in ("voices", "elena", "wim")}
    assert len(set(answers.values())) == 3, "each speaks differently"
    assert say(url, "elena") == answers["elena"]
    adapters.load(url, "late", folder / "late")
    assert say(url, "late") not in answers.values()
    adapters.load(url, "late", folder / "elena")
    assert say(url, "late") == answers["elena"], "loaded again under the same name, it is the new one"
    adapters.unload(url, "late")
    assert "late" not in adapters.listed(url)


@pytest.mark.req("F6")
def test_the_familys_sampling_and_the_effort_layer_are_taken_by_vllm(voices: tuple[Path, str, Path]) -> None:
    runs, url, _ = voices
    log = (runs / "voices" / "logs" / "serve.log").read_text()
    assert "'override_generation_config': {'temperature': 1.0, 'top_p': 1.0}" in log
    assert "'middleware': ['reasoning_effort.DefaultEffort']" in log
    say(url, "voices")
    found = json.loads(lorewright(runs, "monitor", "serve", "--once", "--json", "--port", url.rpartition(":")[2]).stdout)
    assert found["finished"] >= 1
    assert found["latency_seconds"]["first_token"]["p50"] > 0
