"""The command line as a user meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lorewright.cli import VERBS, main, parser
from lorewright.process import end_group, members

Lorewright = Callable[..., "subprocess.CompletedProcess[str]"]


def test_importing_the_command_line_loads_nothing_heavy(repo: Path) -> None:
    code = "import sys, lorewright.cli; print(sorted({m.partition('.')[0] for m in sys.modules} & {'torch', 'chromadb', 'transformers', 'fastapi', 'sentence_transformers', 'rich', 'yaml', 'jsonschema', 'matplotlib'}))"
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(repo / "src")}, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("verb", ["validate", "plan", "run", "status", "stop", "serve", "query", "bench", "infer", "diff", "reproduce"])
def test_light_verbs_load_nothing_heavy(verb: str, repo: Path) -> None:
    code = f"import sys, importlib; importlib.import_module('lorewright.cli.{VERBS[verb][0]}'); print(sorted({{m.partition('.')[0] for m in sys.modules}} & {{'torch', 'chromadb', 'transformers', 'fastapi', 'sentence_transformers'}}))"
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(repo / "src")}, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_help_lists_every_verb_and_each_has_its_own(lorewright: Lorewright, capsys: pytest.CaptureFixture[str]) -> None:
    text = lorewright("--help").stdout
    assert [verb for verb in VERBS if f"    {verb} " not in text] == []
    for verb in VERBS:
        with pytest.raises(SystemExit, match="0"):
            main([verb, "--help"])
        assert capsys.readouterr().out.startswith(f"usage: lorewright {verb}")
    assert parser().prog == "lorewright"


def test_validate_says_all_and_exits_one(lorewright: Lorewright) -> None:
    done = lorewright("validate", "configs/starter.yaml", "tests/bad_recipes/unknown_keys.yaml", "tests/bad_recipes/empty.yaml")
    assert done.returncode == 1
    assert done.stdout == "configs/starter.yaml: ok, recipe starter\n"
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 14


def test_mistakes_are_one_line_and_exit_one(lorewright: Lorewright, tmp_path: Path) -> None:
    for words in (["plan", "none.yaml"], ["run", "tests/bad_recipes/cycle_a.yaml"], ["query", "tests/bad_recipes/empty.yaml", "Why?"],
                  ["monitor", "rag", "--once", "--port", "9"]):  # fmt: skip
        done = lorewright(*words)
        assert (done.returncode, done.stdout) == (1, ""), words
        assert len(done.stderr.splitlines()) == 1, done.stderr


def test_bugs_keep_their_traceback(lorewright: Lorewright, tmp_path: Path) -> None:
    (tmp_path / "runs" / "x" / "manifests").mkdir(parents=True)
    (tmp_path / "runs" / "x" / "manifests" / "1.json").write_text('{"status": 1}')
    done = lorewright("status")
    assert "Traceback" in done.stderr


def test_wrong_usage_is_two(lorewright: Lorewright) -> None:
    assert lorewright("bake").returncode == 2
    assert lorewright("plan").returncode == 2


def test_plan_is_for_people_and_for_scripts(lorewright: Lorewright) -> None:
    assert "prepare  artifact core" in lorewright("plan", "configs/starter.yaml").stdout
    assert json.loads(lorewright("plan", "configs/starter.yaml", "--json").stdout)["recipe"] == "starter"


def test_status_and_stop_with_nothing_there(lorewright: Lorewright) -> None:
    assert "start with ./quickstart.sh" in lorewright("status").stdout
    assert lorewright("status", "configs/starter.yaml").stdout == "starter: not run yet\n"
    assert lorewright("stop").stdout == "nothing was running\n"


def test_doctor_and_envs_tell_the_machine(lorewright: Lorewright, tmp_path: Path) -> None:
    done = lorewright("doctor", XDG_CACHE_HOME=str(tmp_path / "empty"))
    assert "./lorewright envs build train" in done.stdout
    assert lorewright("doctor", LOREWRIGHT_ACCELERATOR="tpu").stderr.startswith("LOREWRIGHT_ACCELERATOR is 'tpu'")
    assert "not built yet" in lorewright("envs", XDG_CACHE_HOME=str(tmp_path / "empty")).stdout
    assert "/envs/core-" in lorewright("envs", "path", "core").stdout


def test_dotenv_is_read_and_does_not_override(repo: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HF_TOKEN=from-file\nHOME_TOWN=Late\n")
    code = "import os; from lorewright.cli import _read_dotenv; _read_dotenv(); print(os.environ['HF_TOKEN'], os.environ['HOME_TOWN'])"
    settings = os.environ | {"PYTHONPATH": str(repo / "src"), "HF_TOKEN": "from-shell"}
    done = subprocess.run([sys.executable, "-c", code], env=settings, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["from-shell", "Late"], done.stderr


@pytest.mark.req("F3", "F4", "F6", "F7", "F8")
def test_every_door_hands_its_arguments_on(repo: Path) -> None:
    """The scripts of the benches and the root are short and lead to a verb that exists."""
    doors = [*repo.glob("serve_*.sh"), *repo.glob("stop_*.sh"), *repo.glob("monitor_*.sh"), *repo.glob("*/scripts/*")]
    assert len(doors) == 12
    for door in doors:
        lines = door.read_text().splitlines()
        assert len(lines) <= 12, door
        assert os.access(door, os.X_OK), door
    opened = [subprocess.Popen([str(door), "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for door in doors]
    for door, process in zip(doors, opened, strict=True):
        out, said = process.communicate()
        assert out.startswith("usage: lorewright "), (door, said)


def test_serve_door_takes_positions(repo: Path) -> None:
    done = subprocess.run(
        [str(repo / "serve_vllm.sh"), "configs/starter.yaml", "banana", "3", "2048", "0.5"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.strip() == '--set serve.port=banana: serve.port: expected integer, got "banana"'


def test_a_runs_folder_that_cannot_be_is_one_line(lorewright: Lorewright, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = lorewright("prepare", "configs/starter.yaml", "--runs", str(tmp_path / "file"))
    assert done.returncode == 1
    assert done.stderr.strip().endswith("Not a directory; finished stages are kept, mend it and run again")
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_end_the_run_and_what_it_started(make_recipe, fake_tools: Path, tmp_path: Path, number: signal.Signals, repo: Path) -> None:  # type: ignore[no-untyped-def]
    settings = os.environ | {"PYTHONPATH": str(repo / "src"), "FAKE_AXOLOTL": "hang"}
    command = [sys.executable, "-m", "lorewright.cli", "run", str(make_recipe()), "--runs", str(tmp_path / "runs")]
    # a test run under nohup or in a shell's background would hand its ignored signals on
    runner = subprocess.Popen(
        command, env=settings, stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(number, signal.SIG_DFL)
    )
    train = tmp_path / "runs" / "small" / "train"
    while not list(train.glob("*.partial/adapter/checkpoint-1/trainer_state.json")):
        assert runner.poll() is None
    tool = json.loads(next(train.glob("*.partial/.process.json")).read_text())
    status = subprocess.run([*command[:3], "status", "--runs", str(tmp_path / "runs")], env=settings, capture_output=True, text=True).stdout
    assert "small: running" in status
    runner.send_signal(number)
    _, said = runner.communicate(timeout=30)
    assert runner.returncode == 130
    assert "interrupted; finished stages are kept" in said
    assert members(tool) == []


def test_status_tells_a_run_that_was_cut_off(make_recipe, fake_tools: Path, tmp_path: Path, repo: Path) -> None:  # type: ignore[no-untyped-def]
    settings = os.environ | {"PYTHONPATH": str(repo / "src"), "FAKE_AXOLOTL": "hang"}
    words = [sys.executable, "-m", "lorewright.cli"]
    runner = subprocess.Popen(
        [*words, "run", str(make_recipe()), "--runs", str(tmp_path / "runs")], env=settings, stderr=subprocess.DEVNULL
    )
    train = tmp_path / "runs" / "small" / "train"
    while not list(train.glob("*.partial/adapter/checkpoint-1/trainer_state.json")):
        assert runner.poll() is None
    runner.kill()
    runner.wait()
    status = subprocess.run([*words, "status", "--runs", str(tmp_path / "runs")], env=settings, capture_output=True, text=True).stdout
    end_group(json.loads(next(train.glob("*.partial/.process.json")).read_text()))
    assert "small: was cut off; the same command goes on" in status
