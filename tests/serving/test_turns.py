"""Training and serving on one card, with an nvidia-smi that is a stand-in: they take turns by the recipe's rule."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lorewright import services
from lorewright.errors import LorewrightError
from lorewright.locks import card_file, try_card
from lorewright.runner import Choice, execute
from lorewright.serving import gpu, turns
from lorewright.stages import Run

RunOf = Callable[..., Run]
SMI = """#!/bin/sh
case $1 in
  --query-gpu=*) printf '0, GPU-aaaa, NVIDIA H200, 143771, 143000\\n1, GPU-bbbb, NVIDIA H200, 143771, [N/A]\\n' ;;
  *) cat "$(dirname "$0")/apps" 2>/dev/null ;;
esac
"""


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two cards; the folder's file `apps` says who holds their memory."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "nvidia-smi").write_text(SMI)
    (folder / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return folder


@pytest.fixture
def on_cards(run_of: RunOf, cards: Path, fake_tools: Path) -> RunOf:
    def make(file: Path, *overrides: str) -> Run:
        run = run_of(file, *overrides)
        run.accelerator = "cuda"
        return run

    return make


def test_the_visible_cards_are_known_by_uuid(cards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu.visible("cpu") == ()
    assert gpu.visible("cuda") == ("GPU-aaaa", "GPU-bbbb")
    for given, seen in (("1", ("GPU-bbbb",)), ("GPU-aaaa,1", ("GPU-aaaa", "GPU-bbbb")), ("", ()), ("-1", ()), ("7", ("7",))):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        assert gpu.visible("cuda") == seen
    assert [(card.number, card.total, card.free) for card in gpu.cards()] == [("0", 143771, 143000), ("1", 143771, 0)]


def test_memory_that_stays_held_is_told(cards: Path) -> None:
    (cards / "apps").write_text("4711, 70000\n12, 5\n")
    assert gpu.holders() == {4711: 70000, 12: 5}
    gpu.check_released([99])
    with pytest.raises(LorewrightError, match="the card's memory is still held by pid 4711 with 70000 MiB"):
        gpu.check_released([4711, 99], patience=0.1)
    later = threading.Timer(0.4, lambda: (cards / "apps").write_text(""))
    later.start()
    gpu.check_released([4711])


@pytest.mark.req("F6")
def test_a_server_is_stopped_for_a_training(make_recipe, on_cards: RunOf, capfd: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    execute(on_cards(file))
    run = on_cards(file)
    execute(run, Choice(services=("serve",)))
    record = run.paths.service(run.plan.step("serve"))
    held = try_card("GPU-aaaa", {})
    assert isinstance(held, dict) and held["said"] == "serve of small", "the server holds its card after the command has ended"
    free = try_card("GPU-bbbb", {})
    assert not isinstance(free, dict), "and no other"
    free.close()
    try:
        execute(on_cards(file, "axolotl.lora_r=4"), Choice(only=("train",)))
    finally:
        left = services.stop_service(record)
    assert not left
    assert (
        "serve of small on port" in (said := capfd.readouterr().err)
        and "was stopped for the training; ./lorewright serve starts it again" in said
    )


def test_refuse_names_the_holder_and_what_to_do(make_recipe, on_cards: RunOf) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    execute(on_cards(file))
    run = on_cards(file)
    execute(run, Choice(services=("serve",)))
    try:
        with pytest.raises(
            LorewrightError, match=r"the card is held by serve of small \(pid \d+\); .*set serve.when_training to wait or stop"
        ):
            execute(on_cards(file, "axolotl.lora_r=4", "serve.when_training=refuse"), Choice(only=("train",)))
    finally:
        assert services.stop_service(run.paths.service(run.plan.step("serve")))


def test_a_server_waits_until_a_training_has_ended(make_recipe, on_cards: RunOf, fake_tools: Path) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    execute(on_cards(file))
    run = on_cards(file)
    code = "import sys, time; from lorewright.locks import try_card; lock = try_card('GPU-aaaa', {'said': 'training of other'}); print('held', flush=True); time.sleep(float(sys.argv[1]))"
    other = subprocess.Popen(
        [sys.executable, "-c", code, "0.9"], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert other.stdout and other.stdout.readline() == b"held\n"
    begun = time.monotonic()
    try:
        execute(run, Choice(services=("serve",)))
        assert time.monotonic() - begun > 0.6
    finally:
        services.stop_service(run.paths.service(run.plan.step("serve")))
        other.communicate()


def test_two_servers_do_not_wait_for_each_other_for_ever(make_recipe, on_cards: RunOf) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe()
    execute(on_cards(file))
    run = on_cards(file)
    execute(run, Choice(services=("serve",)))
    asker = turns.Asker("serve of second", Path("second.json"))
    try:
        with pytest.raises(LorewrightError, match="the card is held by serve of small on port"), turns.cards(("GPU-aaaa",), asker, run):
            pass
    finally:
        services.stop_service(run.paths.service(run.plan.step("serve")))
    with turns.cards(("GPU-aaaa",), asker, run) as handles:
        assert len(handles) == 1
    assert card_file("GPU-aaaa").exists()
