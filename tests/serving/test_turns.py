"""Training and serving on one card, with an nvidia-smi that is a stand-in: they take turns by the recipe's rule."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lorewright import process, services
from lorewright.errors import LorewrightError
from lorewright.locks import card_holders, hold_card
from lorewright.manifest import read_json
from lorewright.runner import Choice, execute
from lorewright.serving import gpu, turns
from lorewright.stages import Run
from tests.conftest import free_port, stand_in_smi

pytestmark = pytest.mark.timeout(60)  # a lock that never comes shall not stop the line
RunOf = Callable[..., Run]
TRAINING = {"said": "training of other", "record": ""}
SMI = """#!/bin/sh
case $1 in
  --query-gpu=*) printf '0, GPU-aaaa, NVIDIA H200, 143771, 143000\\n1, GPU-bbbb, NVIDIA H200, 143771, [N/A]\\n' ;;
  *) cat "$(dirname "$0")/apps" 2>/dev/null ;;
esac
"""


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two cards; the folder's file `apps` says who holds their memory."""
    return stand_in_smi(SMI, tmp_path, monkeypatch)


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
def test_stopping_waits_until_the_card_is_free(cards: Path, tmp_path: Path) -> None:
    record = tmp_path / "web.json"
    facts = services.start_service(
        record, ["sleep", "60"], environment=os.environ, log=tmp_path / "web.log",
        facts={"name": "web", "host": "127.0.0.1", "port": free_port(), "fingerprint": "f"},
    )  # fmt: skip
    (cards / "apps").write_text(f"{facts['pid']}, 70000\n")
    free = threading.Timer(0.6, lambda: (cards / "apps").write_text(""))
    free.start()
    assert gpu.stop_and_release(record)
    assert (cards / "apps").read_text() == "", "not before the memory was free"
    assert not gpu.stop_and_release(record)


@pytest.fixture
def served(make_recipe, on_cards: RunOf) -> Iterator[Run]:  # type: ignore[no-untyped-def]
    """vLLM of a recipe that trains nothing, on the first card."""
    run = on_cards(make_recipe("voice", axolotl=None, data=None))
    execute(run, Choice(services=("serve",)))
    yield run
    services.stop_service(record_of(run))


def record_of(run: Run) -> Path:
    return run.paths.service(run.plan.step("serve"))


@pytest.mark.req("F6")
def test_a_server_is_stopped_for_a_training(served: Run, make_recipe, on_cards: RunOf, capfd: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    assert hold_card("GPU-aaaa", TRAINING, alone=True) is None, "the server holds its card after the command has ended"
    free = hold_card("GPU-bbbb", TRAINING, alone=True)
    assert free, "and no other"
    free.close()
    execute(on_cards(make_recipe("second")), Choice(only=("prepare", "train")))
    assert not services.stop_service(record_of(served)), "it has been stopped"
    said = capfd.readouterr().err
    assert "serve of voice on port" in said and "was stopped for the training; ./lorewright serve starts it again" in said


def test_refuse_names_the_holder_and_what_to_do(served: Run, make_recipe, on_cards: RunOf) -> None:  # type: ignore[no-untyped-def]
    second = on_cards(make_recipe("second"), "serve.when_training=refuse")
    with (
        pytest.raises(
            LorewrightError, match=r"the card is held by serve of voice \(pid \d+, port \d+\); .*set serve.when_training to wait or stop"
        ),
        turns.cards(gpu.visible("cuda"), turns.Asker("training of second"), second),
    ):
        pass
    assert services.running(record_of(served))


def test_a_server_waits_until_a_training_has_ended(make_recipe, on_cards: RunOf) -> None:  # type: ignore[no-untyped-def]
    code = "import sys, time; from lorewright.locks import hold_card; lock = hold_card('GPU-aaaa', {'said': 'training of other', 'record': ''}, alone=True); print('held', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert other.stdin and other.stdout and other.stdout.readline() == b"held\n"
    told = threading.Timer(0.6, other.stdin.close)
    told.start()
    with turns.cards(("GPU-aaaa",), turns.Asker("serve of voice", Path("voice.json")), on_cards(make_recipe())) as handles:
        assert len(handles) == 1
        assert other.stdin.closed, "not before the training was told to end"
    other.wait(30)
    other.stdout.close()


def test_a_server_that_is_to_refuse_names_the_training(make_recipe, on_cards: RunOf) -> None:  # type: ignore[no-untyped-def]
    run = on_cards(make_recipe("voice", axolotl=None, data=None), "serve.when_training=refuse")
    lock = hold_card("GPU-aaaa", TRAINING, alone=True)
    with pytest.raises(LorewrightError, match=rf"the card is held by training of other \(pid {os.getpid()}\)"):
        execute(run, Choice(services=("serve",)))
    assert lock and not services.running(record_of(run))
    lock.close()


def test_servers_share_a_card(served: Run) -> None:
    """Each takes its part of the memory (vllm.gpu_memory_utilization); vLLM itself says when there is too little."""
    with turns.cards(("GPU-aaaa",), turns.Asker("serve of second", Path("second.json")), served) as handles:
        assert len(handles) == 1
        assert [holder["said"] for holder in card_holders("GPU-aaaa")].count("serve of second") == 1
    assert hold_card("GPU-aaaa", TRAINING, alone=True) is None, "the first still has it"


def test_what_a_crashed_server_left_on_the_card_is_ended(served: Run, capfd: pytest.CaptureFixture[str]) -> None:
    """Its engine still lives: it has the memory, though not the lock."""
    record = record_of(served)
    facts = read_json(record)
    os.kill(facts["pid"], 9)
    process.reap(facts["pid"])
    assert services.leftover(record)[1]
    with turns.cards(("GPU-aaaa",), turns.Asker("training of second"), served):
        assert process.members(facts) == []
    assert "what a crash of serve of voice left behind was ended" in capfd.readouterr().err
