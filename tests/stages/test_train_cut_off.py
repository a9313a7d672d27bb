"""A training that is cut off: by Ctrl-C, by a full disk, by the loss of power. The tool is a stand-in, the disk is a real one."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lorewright.errors import LorewrightError
from lorewright.manifest import latest_manifest, read_json
from lorewright.remedies import DISK, diagnose
from lorewright.runner import Choice, execute
from lorewright.stages import Run
from lorewright.stages import trained as trained_stage
from lorewright.training.checkpoints import fault
from lorewright.training.kept import kept_of
from tests.conftest import MakeRecipe

RunOf = Callable[..., Run]
TRAIN = Choice(only=("prepare", "train"))


def adapter_of(run: Run) -> Path:
    return next((run.paths.home / "train").glob("*.partial")) / "adapter"


def facts(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = read_json(run.done["train"] / "step.json")["facts"]
    return found


@pytest.mark.req("F4")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_writes_a_checkpoint_first(
    make_recipe: MakeRecipe, fake_tools: Path, tmp_path: Path, repo: Path, run_of: RunOf, number: signal.Signals
) -> None:
    file, settings = make_recipe(), os.environ | {"PYTHONPATH": str(repo / "src"), "FAKE_AXOLOTL": "slow"}
    command = [sys.executable, "-m", "lorewright.cli", "train", str(file), "--runs", str(tmp_path / "runs")]
    execute(run_of(file), Choice(only=("prepare",)))
    runner = subprocess.Popen(
        command, env=settings, stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(number, signal.SIG_DFL)
    )
    while not any(file.read_text().count("\n") > 2 for file in (tmp_path / "runs").glob("small/train/*.partial/points.jsonl")):
        assert runner.poll() is None
        time.sleep(0.02)
    runner.send_signal(number)
    _, said = runner.communicate(timeout=30)
    assert runner.returncode == 130, said
    run = run_of(file)
    (checkpoint,) = adapter_of(run).glob("checkpoint-*")
    step = int(checkpoint.name[11:])
    assert step >= 2
    lines = said.splitlines()
    assert re.fullmatch(
        r"train     stopping as soon as a checkpoint is written, in \d\d s at the latest; Ctrl-C again stops at once", lines[-3]
    ), said
    assert lines[-2:] == [
        f"train     stopped; it goes on from step {step}",
        "interrupted; finished stages are kept, run the same command to go on",
    ]
    execute(run, TRAIN)
    assert facts(run)["resumed_from_step"] == step


@pytest.mark.req("F4")
def test_a_closed_terminal_costs_nothing(
    make_recipe: MakeRecipe, fake_tools: Path, tmp_path: Path, repo: Path, run_of: RunOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_recipe()
    monkeypatch.setenv("FAKE_AXOLOTL", "slow")
    monkeypatch.setenv("PYTHONPATH", str(repo / "src"))
    run = run_of(file)
    execute(run, Choice(only=("prepare",)))
    command = [sys.executable, "-m", "lorewright.cli", "train", str(file), "--runs", str(tmp_path / "runs")]
    terminal, ours = pty.openpty()

    def on_a_terminal() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests run under nohup
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    runner = subprocess.Popen(command, stdin=ours, stdout=ours, stderr=ours, start_new_session=True, preexec_fn=on_a_terminal)
    os.close(ours)
    while not any(file.read_text().count("\n") > 2 for file in (tmp_path / "runs").glob("small/train/*.partial/points.jsonl")):
        if select.select([terminal], [], [], 0.02)[0]:
            os.read(terminal, 10000)
    os.close(terminal)
    assert runner.wait(timeout=30) == 130
    (checkpoint,) = adapter_of(run).glob("checkpoint-*")
    assert not fault(checkpoint)
    manifest = latest_manifest(run.paths.manifests)
    assert manifest and manifest["status"] == "interrupted"


def mounted(*words: str) -> None:
    if subprocess.run(["mount", *words], capture_output=True).returncode:
        pytest.skip("a disk of its own needs the right to mount one")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], None]]:
    """A disk of so many MiB of its own for the test's runs."""
    (tmp_path / "runs").mkdir()

    def mount(size: int) -> None:
        options = f"size={size}m,nr_inodes=20000" + (",remount" if os.path.ismount(tmp_path / "runs") else "")
        mounted("-t", "tmpfs", "-o", options, "tmpfs", str(tmp_path / "runs"))

    yield mount
    subprocess.run(["umount", "-l", str(tmp_path / "runs")], capture_output=True)


@pytest.mark.req("F4")
def test_a_full_disk_costs_nothing_and_says_what_is_needed(
    make_recipe: MakeRecipe, run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch, small_disk: Callable[[int], None]
) -> None:
    """Three checkpoints fit, the fourth does not."""
    small_disk(14)
    file = make_recipe()
    monkeypatch.setenv("FAKE_CHECKPOINT", "4")
    run = run_of(file)
    with pytest.raises(LorewrightError) as told:
        execute(run, TRAIN)
    adapter = adapter_of(run)
    assert sorted(folder.name for folder in adapter.glob("*-*")) == ["checkpoint-1", "checkpoint-2", "checkpoint-3"], "the half one is gone"
    assert told.value.where == str(adapter.parent)
    assert told.value.what == "the disk is full: a checkpoint takes 5 MiB, 2 MiB are free"
    assert told.value.remedy == "make 24 MiB of room there and run the same command: training goes on from step 3"
    manifest = latest_manifest(run.paths.manifests)
    assert manifest and manifest["status"] == "failed", "there was room for the record"
    small_disk(60)
    again = run_of(file)
    execute(again, TRAIN)
    assert facts(again)["resumed_from_step"] == 3
    assert [epoch for epoch, _ in facts(again)["loss_curve"]] == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize("said", [
    "RuntimeError: basic_ios::clear: iostream error", "RuntimeError: [enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534",
    "safetensors_rust.SafetensorError: Error while serializing: I/O error: No space left on device (os error 28)",
    "OSError: [Errno 122] Disk quota exceeded: 'adapter/checkpoint-4/trainer_state.json'",
])  # fmt: skip
def test_what_the_writers_say_when_the_disk_is_full(said: str) -> None:
    """torch 2.13, safetensors 0.8, Python; on a tmpfs of 2 MB."""
    assert diagnose(f"Traceback (most recent call last):\n{said}\nsubprocess.CalledProcessError: returned non-zero exit status 1.") is DISK
    assert diagnose("RuntimeError: PytorchStreamReader failed reading zip archive: failed finding central directory") is None


def test_our_own_files_may_be_the_ones_that_do_not_fit(
    make_recipe: MakeRecipe,
    run_of: RunOf,
    fake_tools: Path,
    monkeypatch: pytest.MonkeyPatch,
    small_disk: Callable[[int], None],
    tmp_path: Path,
) -> None:
    """Somebody else fills the disk between two checkpoints: the log and the curve cannot be written."""
    small_disk(8)
    file = make_recipe()
    monkeypatch.setenv("FAKE_AXOLOTL", "slow")
    ballast = f"import pathlib, time; runs = pathlib.Path({str(tmp_path / 'runs')!r})\nwhile not list(runs.glob('small/train/*.partial/points.jsonl')): time.sleep(0.02)\nwith open(runs / 'ballast', 'wb', 0) as out:\n while True: out.write(bytes(4096))"
    filler = subprocess.Popen([sys.executable, "-c", ballast], stderr=subprocess.DEVNULL)
    try:
        run = run_of(file)
        with pytest.raises((LorewrightError, OSError), match="disk is full|No space left"):  # the second where not even the manifest fits
            execute(run, TRAIN)
    finally:
        filler.kill()
        filler.wait()
    (tmp_path / "runs" / "ballast").unlink()
    monkeypatch.delenv("FAKE_AXOLOTL")
    again = run_of(file)
    execute(again, TRAIN)
    assert [epoch for epoch, _ in facts(again)["loss_curve"]][-1] == 1.0


@pytest.fixture
def failing_disk(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """A real disk for the test's runs. Called, it is without power at once: what it had not been told to write is lost."""
    disk, runs = tmp_path / "disk", tmp_path / "runs"
    runs.mkdir()
    with open(disk, "wb") as file:
        file.truncate(100 * 2**20)
    subprocess.run(["mkfs.ext4", "-q", str(disk)], check=True)
    mounted("-o", "loop", str(disk), str(runs))

    def fail() -> None:
        shutil.copyfile(disk, tmp_path / "left")  # what has come to the disk, while the system still believes in more
        subprocess.run(["umount", str(runs)], check=True)
        mounted("-o", "loop", str(tmp_path / "left"), str(runs))

    yield fail
    subprocess.run(["umount", "-l", str(runs)], capture_output=True)


@pytest.mark.req("F4")
def test_power_lost_when_the_only_other_checkpoint_has_just_been_removed(
    make_recipe: MakeRecipe, run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch, failing_disk: Callable[[], None]
) -> None:
    """The trainer removes the old one as soon as the new one is written, and the disk does not have that one yet."""
    file = make_recipe()
    monkeypatch.setenv("FAKE_LIMIT", "1")
    monkeypatch.setenv("FAKE_CHECKPOINT", "2")
    monkeypatch.setenv("FAKE_AXOLOTL", "die 3")
    run = run_of(file)
    with pytest.raises(LorewrightError, match="axolotl train failed"):
        execute(run, TRAIN)
    adapter = adapter_of(run)
    assert [(folder.name, fault(folder)) for folder in adapter.glob("checkpoint-*")] == [("checkpoint-3", "")]
    failing_disk()
    assert [(folder.name, fault(folder) != "") for folder in adapter.glob("checkpoint-*")] in ([("checkpoint-3", True)], [])
    assert [(folder.name, fault(folder)) for folder in kept_of(adapter).glob("checkpoint-*")] == [("checkpoint-2", "")]
    monkeypatch.delenv("FAKE_AXOLOTL")
    again = run_of(file)
    execute(again, TRAIN)
    assert facts(again)["resumed_from_step"] == 2
    assert [epoch for epoch, _ in facts(again)["loss_curve"]] == [0.25, 0.5, 0.75, 1.0]
    left = again.done["train"]
    assert not (left / "kept").exists() and not list((left / "adapter").glob("broken-*"))


@pytest.mark.req("F4")
def test_what_fails_after_the_last_step_costs_no_training(
    make_recipe: MakeRecipe, fake_tools: Path, run_of: RunOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_recipe()

    def broken(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(trained_stage, "adapter_card", broken)
        with pytest.raises(LorewrightError, match="the disk is full"):
            execute(run_of(file), TRAIN)
    run = run_of(file)
    execute(run, TRAIN)
    assert facts(run)["resumed_from_step"] == 4
    assert not list((run.done["train"] / "adapter").glob("checkpoint-*/optimizer.pt")), "and in the end they are tidied"


@pytest.mark.req("F4")
def test_a_forced_training_that_was_cut_off_goes_on_when_it_is_forced_again(
    make_recipe: MakeRecipe, fake_tools: Path, run_of: RunOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, again = make_recipe(), Choice(only=("train",), force=True)
    execute(run_of(file), TRAIN)
    monkeypatch.setenv("FAKE_AXOLOTL", "die 3")
    with pytest.raises(LorewrightError):
        execute(run_of(file), again)
    monkeypatch.delenv("FAKE_AXOLOTL")
    run = run_of(file)
    execute(run, again)
    assert facts(run)["resumed_from_step"] == 3
    execute(run, again)
    assert facts(run)["resumed_from_step"] == 0, "a finished one begins anew"
