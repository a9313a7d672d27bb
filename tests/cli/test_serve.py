"""serve, restart and the door before them: a recipe or a model, positions, what would be started."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lorewright.cli.serve import is_model
from lorewright.runner import execute
from tests.conftest import free_port

Lorewright = Callable[..., "subprocess.CompletedProcess[str]"]


def model(folder: Path, context: int = 8192) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen3", "max_position_embeddings": context}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "x"}))
    return folder


@pytest.mark.req("F6")
def test_a_model_folder_is_served_as_it_is(lorewright: Lorewright, tmp_path: Path) -> None:
    folder = model(tmp_path / "My Voice")
    done = lorewright("serve", str(folder), "8100", "3", "2048", "0.5", "--dry-run", LOREWRIGHT_ACCELERATOR="cuda")
    assert done.returncode == 0, done.stderr
    text, _, command = done.stdout.strip().rpartition("\n")
    config = yaml.safe_load(text)
    assert config == {
        "model": str(folder), "served-model-name": "my-voice", "host": "127.0.0.1", "port": 8100, "max-num-seqs": 3, "max-model-len": 2048,
        "gpu-memory-utilization": 0.5, "override-generation-config": {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "min_p": 0.0},
    }  # fmt: skip
    words = shlex.split(command)
    assert words[1:4] == ["-m", "vllm.entrypoints.openai.api_server", "--config"]
    assert yaml.safe_load(Path(words[4]).read_text()) == config, "the command works as it stands"
    assert not (tmp_path / "runs" / "services").exists()


@pytest.mark.req("F6")
def test_what_is_left_out_has_the_known_defaults(lorewright: Lorewright, tmp_path: Path) -> None:
    named = lorewright("serve", "meta-llama/Llama-3.1-8B-Instruct", "--dry-run", LOREWRIGHT_ACCELERATOR="cuda").stdout
    config = yaml.safe_load(named.strip().rpartition("\n")[0])
    assert [config[key] for key in ("port", "max-num-seqs", "max-model-len", "gpu-memory-utilization")] == [8000, 9, 64000, 0.9]
    assert (config["model"], config["served-model-name"]) == ("meta-llama/Llama-3.1-8B-Instruct", "llama-3-1-8b-instruct")
    short = lorewright("serve", str(model(tmp_path / "short", 4096)), "--dry-run", LOREWRIGHT_ACCELERATOR="cpu").stdout
    assert "max-model-len: 4096" in short, "never more than the model was made for"
    assert "VLLM_CPU_KVCACHE_SPACE=1 " in short


def test_what_is_a_model_and_what_a_recipe(repo: Path, tmp_path: Path) -> None:
    assert is_model("org/name") and is_model("org/name@v2.1") and is_model(str(model(tmp_path / "m")))
    for word in ("configs/starter.yaml", str(repo / "configs" / "starter.yaml"), "configs/none.yaml", str(tmp_path), "starter", "a b/c"):
        assert not is_model(word), word


def test_a_dry_run_of_an_untrained_recipe_says_what_is_missing(lorewright: Lorewright) -> None:
    done = lorewright("serve", "configs/starter.yaml", "--dry-run")
    assert (done.returncode, done.stdout) == (1, "")
    assert "merge has not been run yet, so there is no model to serve; run it first: ./lorewright run" in done.stderr


def test_without_a_template_it_is_said(lorewright: Lorewright, tmp_path: Path) -> None:
    folder = model(tmp_path / "bare")
    (folder / "tokenizer_config.json").write_text("{}")
    assert "has no chat template: only /v1/completions will work" in lorewright("serve", str(folder), "--dry-run").stderr


@pytest.mark.req("F6")
def test_start_start_restart_stop_stop(make_recipe, run_of, fake_tools: Path, lorewright: Lorewright, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    port = free_port()
    file = str(make_recipe(serve={"port": port, "start_timeout": 20}))
    execute(run_of(Path(file)))
    record = tmp_path / "runs" / "services" / f"serve-{port}.json"
    try:
        first = lorewright("restart", file)  # what does not run is started
        assert f"http://127.0.0.1:{port}/v1   model small" in first.stdout, first.stderr
        pid = json.loads(record.read_text())["pid"]
        assert "already running" in lorewright("serve", file).stderr
        assert json.loads(record.read_text())["pid"] == pid
        again = lorewright("restart", file)
        assert f"stopped on port {port}" in again.stderr, again.stderr
        assert json.loads(record.read_text())["pid"] != pid
        assert (tmp_path / "runs" / "small" / "logs" / "serve.1.log").exists()
        pid = json.loads(record.read_text())["pid"]
        (tmp_path / "runs" / "small" / "merge").rename(tmp_path / "elsewhere")
        cannot = lorewright("restart", file)
        assert cannot.returncode == 1 and "serve needs merge, which has not been run yet" in cannot.stderr
        assert json.loads(record.read_text())["pid"] == pid and "already" not in cannot.stderr, "what could not start again goes on"
    finally:
        stopped = lorewright("stop")
    assert stopped.stdout == f"stopped serve on port {port}\n"
    assert lorewright("stop").stdout == "nothing was running\n"


@pytest.mark.req("F6")
def test_left_behind_processes_are_named_by_status_and_doctor(
    make_recipe, run_of, fake_tools: Path, lorewright: Lorewright, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    import os

    port = free_port()
    file = str(make_recipe(serve={"port": port, "start_timeout": 20}))
    execute(run_of(Path(file)))
    assert lorewright("serve", file).returncode == 0
    os.kill(json.loads((tmp_path / "runs" / "services" / f"serve-{port}.json").read_text())["pid"], 9)
    said = f"serve of small, port {port}: the server is gone, its processes still run ("
    status, doctor = lorewright("status").stdout, lorewright("doctor")
    assert f"left over {said}" in status and "sleep); ./lorewright stop ends it" in status
    assert f"MEND  left over    {said}" in doctor.stdout and doctor.returncode == 1
    assert lorewright("stop").stdout == f"stopped serve on port {port}\n"
    assert "left over" not in lorewright("status").stdout
