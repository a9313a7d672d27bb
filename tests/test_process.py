"""Processes: logs, failures with remedies, whole groups ended, strangers left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lorewright import process
from lorewright.errors import LorewrightError
from lorewright.remedies import REMEDIES, diagnose


def run(code: str, folder: Path, **more: object) -> None:
    process.run([sys.executable, "-c", code], environment=os.environ, log=folder / "log.txt", folder=folder, **more)  # type: ignore[arg-type]


def spawn(command: list[str], folder: Path, output: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return process.spawn(command, os.environ, folder, output, lambda facts: None)


def test_a_tool_begins_only_once_its_record_is_written(tmp_path: Path) -> None:
    """Killed between the start and the record, we would leave a tool that nobody knows of."""
    code = "import os, signal, subprocess; from pathlib import Path; from lorewright import process; process.spawn(['touch', 'begun'], os.environ, Path.cwd(), subprocess.DEVNULL, lambda facts: os.kill(os.getpid(), signal.SIGKILL))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == -signal.SIGKILL
    time.sleep(0.3)
    assert not (tmp_path / "begun").exists()

    def full(facts: dict[str, object]) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        process.spawn(["touch", "begun"], os.environ, tmp_path, subprocess.DEVNULL, full)
    time.sleep(0.2)
    assert not (tmp_path / "begun").exists()


def test_what_a_tool_leaves_running_is_not_waited_for_and_ended(tmp_path: Path) -> None:
    begun = time.monotonic()
    lines: list[str] = []
    run("import subprocess; print(subprocess.Popen(['sleep', '60']).pid)", tmp_path, on_line=lines.append)
    assert time.monotonic() - begun < 10
    assert process.start_time(int(lines[0])) is None


PATIENT = "import time; from pathlib import Path; print('begun', flush=True)\nwhile not Path('stop').exists(): time.sleep(0.02)\nprint('saved', flush=True); time.sleep(60)"


@pytest.mark.parametrize("again", [False, True])
def test_an_interrupted_tool_may_come_to_an_end_of_its_own(tmp_path: Path, again: bool) -> None:
    begun, lines = time.monotonic(), []

    def on_line(line: str) -> None:
        lines.append(line)
        if line == "begun" or again:
            raise KeyboardInterrupt

    def wind_down() -> Callable[[], bool]:
        (tmp_path / "stop").touch()
        return lambda: "saved" in lines

    with pytest.raises(KeyboardInterrupt):
        run(PATIENT, tmp_path, on_line=on_line, wind_down=wind_down)
    assert lines == ["begun", "saved"]
    assert time.monotonic() - begun < 10
    assert not (tmp_path / process.RECORD).exists() or not process.members(json.loads((tmp_path / process.RECORD).read_text()))


def test_a_tool_killed_by_the_system_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(LorewrightError, match=r"ended by signal 9\): the system ended the process"):
        run("import os; os.kill(os.getpid(), 9)", tmp_path)


def test_lines_come_as_they_are_written_and_returns_end_one(tmp_path: Path) -> None:
    lines: list[str] = []
    run(r"import sys; sys.stdout.write('one\rtwo\n\n'); sys.stderr.write('three\n')", tmp_path, on_line=lines.append)
    assert sorted(lines) == ["one", "three", "two"]
    assert "two" in (tmp_path / "log.txt").read_text()
    assert not (tmp_path / ".process.json").exists()


def test_failure_shows_the_end_of_the_log_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(LorewrightError) as problem:
        run("print('many lines\\n' * 50); raise SystemExit('OSError: [Errno 28] No space left on device')", tmp_path)
    assert "the disk is full" in problem.value.what
    assert "free some space" in problem.value.remedy
    assert len(problem.value.tail) == process.TAIL_LINES
    assert problem.value.where == str(tmp_path / "log.txt")


def test_interrupt_ends_the_tool_and_its_children(tmp_path: Path) -> None:
    code = "import subprocess, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"
    children: list[int] = []

    def on_line(line: str) -> None:
        children.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(code, tmp_path, on_line=on_line)
    assert process.start_time(children[0]) is None


def test_a_tool_that_outlived_its_run_is_ended_before_the_next(tmp_path: Path) -> None:
    orphan = spawn(["sleep", "60"], tmp_path)
    (tmp_path / ".process.json").write_text(json.dumps(process.identity(orphan.pid)))
    run("print('next')", tmp_path)
    assert orphan.wait(timeout=5) == -signal.SIGTERM


def test_a_reused_number_is_not_ended(tmp_path: Path) -> None:
    stranger = spawn(["sleep", "60"], tmp_path)
    try:
        record = process.identity(stranger.pid)
        for wrong in ({"started": record["started"] - 5}, {"boot": "another"}):
            assert process.members(record | wrong) == []
            assert not process.end_group(record | wrong)
        assert stranger.poll() is None
        assert process.members(record) == [stranger.pid]
    finally:
        stranger.kill()
        stranger.wait()


def test_what_ignores_the_request_is_forced(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    child = spawn([sys.executable, "-c", code], tmp_path, subprocess.PIPE)
    assert child.stdout and child.stdout.readline() == b"ready\n"
    begun = time.monotonic()
    assert process.end_group(process.identity(child.pid), patience=0.3)
    assert child.wait() == -signal.SIGKILL
    assert time.monotonic() - begun < 5
    child.stdout.close()


def test_tools_get_no_trace_of_our_own_python_and_do_not_phone_home(monkeypatch: pytest.MonkeyPatch) -> None:
    from lorewright import envs

    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    settings = process.tool_environment(envs.locate("train"))
    assert "PYTHONPATH" not in settings
    assert settings["PATH"].startswith(str(envs.locate("train").path / "bin"))
    assert settings["AXOLOTL_DO_NOT_TRACK"] == settings["VLLM_NO_USAGE_STATS"] == "1"


@pytest.mark.parametrize("line", [
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", "OSError: [Errno 28] No space left on device",
    "AssertionError: Torch not compiled with CUDA enabled", "ValueError: No available memory for the cache blocks.",
    "huggingface_hub.errors.GatedRepoError: 403", "LocalEntryNotFoundError: cannot find the requested files",
    "ValueError: Cannot use chat template functions because tokenizer.chat_template is not set", "error: unrecognized arguments: --zebra",
])  # fmt: skip
def test_known_failures_are_recognised(line: str) -> None:
    assert diagnose(f"noise\n{line}\nmore noise") is not None


def test_harmless_words_are_no_failure() -> None:
    """vLLM warns of an OSError about ulimit at every start."""
    assert diagnose("WARNING OSError: Found ulimit of 1024 and failed to automatically increase") is None
    assert len({remedy.sign for remedy in REMEDIES}) == len(REMEDIES)


def test_a_tool_asked_is_ended_with_all_it_started_when_its_time_is_over(tmp_path: Path) -> None:
    code = "import subprocess, sys, time; print(subprocess.Popen(['sleep', '60']).pid, file=sys.stderr, flush=True); time.sleep(60)"
    log = tmp_path / "logs" / "ask.log"
    said = process.ask([sys.executable, "-c", code], environment=os.environ, log=log, seconds=1.5, stop=lambda: False)
    assert said == (None, b"")
    assert (
        not Path(f"/proc/{log.read_text().strip()}/cmdline").exists() or not Path(f"/proc/{log.read_text().strip()}/cmdline").read_bytes()
    )


def test_a_tool_asked_gives_its_code_and_output_and_stops_at_a_word(tmp_path: Path) -> None:
    code = "print('x' * 200_000); raise SystemExit(3)"
    log = tmp_path / "ask.log"
    code_of, output = process.ask([sys.executable, "-c", code], environment=os.environ, log=log, seconds=20, stop=lambda: False)
    assert (code_of, len(output)) == (3, 200_001)
    assert process.ask(["sleep", "60"], environment=os.environ, log=log, seconds=60, stop=lambda: True) == (None, b"")
