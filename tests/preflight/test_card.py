"""Driver, card and who holds its memory, from what nvidia-smi says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lorewright import process, services
from lorewright.locks import hold_card
from lorewright.manifest import read_json, write_json
from lorewright.preflight.base_model import base_model
from lorewright.preflight.card import room
from lorewright.preflight.checks import of_machine, seen_cards
from lorewright.preflight.driver import driver
from lorewright.preflight.found import Found
from lorewright.preflight.model import Model
from lorewright.preflight.precision import precision
from tests.conftest import free_port
from tests.preflight.conftest import WantedOf
from tests.weights import eight_billion, write_model

H200 = "0, GPU-aaaa, NVIDIA H200, 143771, 143161, 580.159.04, 9.0"
T4 = "0, GPU-aaaa, Tesla T4, 15360, 14928, 580.95.05, 7.5"
P100 = "0, GPU-aaaa, Tesla P100-PCIE-16GB, 16384, 16100, 580.95.05, 6.0"
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580.95\n"
NO_DRIVER = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n"  # fmt: skip


@pytest.fixture(autouse=True)
def gpu_machine(card: Path, fake_tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The train environment is not built: its requirement file says which CUDA it will have."""
    monkeypatch.setenv("LOREWRIGHT_ACCELERATOR", "cuda")
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)


def says(card: Path, *lines: str) -> None:
    (card / "gpus").write_text("".join(f"{line}\n" for line in lines))


def the(found: list[Found]) -> list[tuple[str, str, str]]:
    return [(one.state, one.name, one.text) for one in found]


def test_a_good_card_is_named(card: Path) -> None:
    assert the(of_machine("cuda")) == [
        ("ok", "driver", "580.159.04, new enough for CUDA 13.0"),
        ("ok", "card 0", "NVIDIA H200, 140 GiB, compute capability 9.0"),
        ("ok", "card 0", "139.8 GiB of 140.4 GiB free"),
    ]
    assert of_machine("cpu") == []


def test_an_old_driver_and_an_old_card(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says(card, H200.replace("580.159.04", "550.144.03"))
    (old, _) = driver(seen_cards("cuda"))
    assert the([old]) == [
        ("bad", "driver", "550.144.03 is too old for CUDA 13.0, which the train environment is built with; install driver 580 or newer (on WSL: in Windows) and restart")
    ]  # fmt: skip
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/local/cuda/compat")
    assert driver(seen_cards("cuda"))[0].state == "warn"
    says(card, P100)
    (_, one) = driver(seen_cards("cuda"))
    assert (one.state, one.said) == ("bad", "Tesla P100-PCIE-16GB has compute capability 6.0, and CUDA 13.0 has code from 7.5 on")


def test_the_built_environment_says_its_own_cuda(card: Path, fake_tools: Path) -> None:
    from lorewright import envs

    version = envs.locate("train").path / "lib" / "python3.11" / "site-packages" / "torch" / "version.py"
    version.parent.mkdir(parents=True)
    says(card, H200.replace("580.159.04", "550.144.03"))
    version.write_text("from typing import Optional\ncuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n")
    assert driver(seen_cards("cuda"))[0].said == "550.144.03, new enough for CUDA 12.8"
    version.write_text("cuda: Optional[str] = None\n")
    (found,) = driver(seen_cards("cuda"))
    assert (found.state, found.said) == ("bad", "the train environment's torch is built without CUDA")


@pytest.mark.parametrize(
    ("printed", "said", "remedy"),
    [(NO_DRIVER, "NVIDIA-SMI has failed", "install or mend it"), (MISMATCH, "Driver/library version mismatch", "restart the machine")],
)
def test_no_driver_answers(card: Path, printed: str, said: str, remedy: str) -> None:
    (card / "broken").write_text(printed)
    (found,) = driver(seen_cards("cuda"))
    assert (found.state, found.name) == ("bad", "driver")
    assert said in found.said and remedy in found.remedy


def test_no_card_is_seen(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert the(driver(seen_cards("cuda"))) == [
        ("bad", "driver", "CUDA_VISIBLE_DEVICES=-1 hides every card; unset it, or name a card that is there")
    ]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    (card / "nvidia-smi").unlink()
    monkeypatch.setenv("PATH", "/nowhere")
    assert "there is no nvidia-smi" in driver(seen_cards("cuda"))[0].said


@pytest.fixture
def eight(tmp_path: Path) -> Model:
    return base_model(str(write_model(tmp_path / "eight", eight_billion())))[0]


@pytest.mark.req("P6")
def test_weights_that_do_not_fit_are_told_before_they_are_loaded(card: Path, wanted_of: WantedOf, eight: Model) -> None:
    says(card, "0, GPU-aaaa, NVIDIA GeForce RTX 4060, 8188, 7900, 580.95.05, 8.9")
    none: dict[str, Any] = {"train": {"on_out_of_memory": ["micro_batch"]}}
    (found,) = room(wanted_of(recipe=none), eight, seen_cards("cuda"))
    assert (found.state, found.said) == ("bad", "7.7 GiB of 8.0 GiB free, and the weights alone want 15.0 GiB")
    assert "load_in_4bit: true" in found.remedy
    (found,) = room(wanted_of(), eight, seen_cards("cuda"))
    assert (found.state, found.remedy) == ("warn", "it will take the first step of train.on_out_of_memory that helps")
    (found,) = room(wanted_of(recipe=none, adapter="qlora", load_in_4bit=True), eight, seen_cards("cuda"))
    assert (found.state, found.said) == ("ok", "7.7 GiB of 8.0 GiB free, 3.7 GiB for the weights")
    (found,) = room(wanted_of(recipe=none, layer_offloading=True), eight, seen_cards("cuda"))
    assert found.state == "ok", "a card then holds a layer at a time"


@pytest.mark.req("P6")
def test_strangers_on_the_card_are_named(card: Path, wanted_of: WantedOf, eight: Model) -> None:
    says(card, "0, GPU-aaaa, NVIDIA GeForce RTX 4090, 24564, 3600, 580.95.05, 8.9")
    (card / "tenants").write_text(f"GPU-aaaa, {os.getpid()}, /usr/bin/python3, 20480\nGPU-aaaa, 3, /usr/lib/xorg/Xorg, 40\n")
    none: dict[str, Any] = {"train": {"on_out_of_memory": []}}
    (found,) = room(wanted_of(recipe=none), eight, seen_cards("cuda"))
    name = services.command_name(os.getpid())
    assert found.said == (f"3.5 GiB of 24.0 GiB free, and the weights alone want 15.0 GiB; pid {os.getpid()} ({name}) holds 20.0 GiB")
    assert (found.state, found.remedy.startswith("end that, or load them in 4 bit")) == ("bad", True)
    (found,) = room(wanted_of(), Model("small"), seen_cards("cuda"))
    assert (found.state, found.remedy) == ("warn", "end what is not needed")
    (card / "tenants").write_text("")
    (found,) = room(None, Model(""), seen_cards("cuda"))
    assert "20.5 GiB are held by what cannot be seen from here" in found.said


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A vLLM of ours that has the card: its record, its lock, and a process in its session."""
    server = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    record, port = tmp_path / "runs" / "services" / "serve-8123.json", free_port()
    write_json(
        record, process.identity(server.pid) | {"name": "serve", "recipe": "voice", "host": "127.0.0.1", "port": port, "owner": None}
    )
    lock = hold_card("GPU-aaaa", {"said": "serve of voice", "record": str(record)}, alone=False)
    assert lock
    yield server, port
    lock.close()
    server.kill()
    server.communicate()


@pytest.mark.req("P6")
@pytest.mark.parametrize(
    ("rule", "state", "text"),
    [
        ("stop", "warn", "it is stopped when the training begins (serve.when_training: stop)"),
        ("wait", "warn", "the training waits for it; ./lorewright stop serve --port {port} ends it"),
        ("refuse", "bad", "./lorewright stop serve --port {port} ends it; or set serve.when_training to stop or wait"),
        ("", "warn", "./lorewright stop serve --port {port} ends it"),
    ],
)
def test_our_own_server_is_named_with_its_rule(
    card: Path, wanted_of: WantedOf, eight: Model, served: tuple[subprocess.Popen[bytes], int], rule: str, state: str, text: str
) -> None:
    server, port = served
    says(card, H200.replace("143161", "20000"))
    (card / "tenants").write_text(f"GPU-aaaa, {server.pid}, VLLM::EngineCore, 123000\n")
    wanted = wanted_of(recipe={"serve": {"port": free_port(), "when_training": rule}}) if rule else None
    holder, space = room(wanted, eight, seen_cards("cuda"))
    assert (holder.state, holder.remedy) == (state, text.format(port=port))
    assert holder.said.startswith(f"serve of voice (pid {server.pid}, port {port}) holds 120.1 GiB")
    assert (space.state, space.said.split(",")[0]) == ("ok", "139.6 GiB of 140.4 GiB free then")


@pytest.mark.parametrize(("owner", "crashed"), [(True, False), (False, True)])
def test_what_is_ended_anyway_does_not_stop_the_training(
    card: Path, wanted_of: WantedOf, served: tuple[subprocess.Popen[bytes], int], tmp_path: Path, owner: bool, crashed: bool
) -> None:
    """A server that this very run has started, and what a crash has left, whatever the rule says."""
    server, _ = served
    record = tmp_path / "runs" / "services" / "serve-8123.json"
    facts = read_json(record)
    if owner:
        write_json(record, facts | {"owner": process.myself()})
    else:  # its leader is gone, its child still holds the card
        code = "import subprocess; print(subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL).pid, flush=True); input()"
        leader = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        assert leader.stdout
        engine = int(leader.stdout.readline())
        write_json(record, facts | process.identity(leader.pid))
        leader.communicate(b"\n")
    holder = server.pid if owner else engine
    (card / "tenants").write_text(f"GPU-aaaa, {holder}, VLLM::EngineCore, 9000\n")
    found = room(wanted_of(recipe={"serve": {"when_training": "refuse"}}), Model("small"), seen_cards("cuda"))
    assert [(one.state, one.remedy) for one in found] == [("warn", "it is ended when the training begins"), ("ok", "")]
    assert ("has left" in found[0].said) == crashed
    if crashed:
        os.kill(engine, 9)


def test_where_nvidia_smi_names_nobody_the_lock_tells(
    card: Path, wanted_of: WantedOf, eight: Model, served: tuple[subprocess.Popen[bytes], int]
) -> None:
    """In a container and on WSL."""
    says(card, H200.replace("143161", "9000"))
    holder, space = room(wanted_of(), eight, seen_cards("cuda"))
    assert (holder.state, holder.said.endswith(" has it")) == ("warn", True)
    assert (space.state, space.said.split(",")[0]) == ("ok", "140.4 GiB of 140.4 GiB free then")


def test_another_training_of_ours_is_waited_for(card: Path, wanted_of: WantedOf, eight: Model) -> None:
    """The process on the card is Axolotl's; the lock is of the lorewright above it."""
    (card / "tenants").write_text(f"GPU-aaaa, {os.getpid()}, python, 9000\n")
    lock = hold_card("GPU-aaaa", {"said": "training of other", "record": ""}, alone=True)
    assert lock
    write_json(Path(lock.name).parent / "training.json", {"pid": os.getppid(), "said": "training of other", "record": ""})
    found = room(wanted_of(), eight, seen_cards("cuda"))[0]
    assert found.text == (f"training of other (pid {os.getppid()}) holds 8.8 GiB; the training waits for it; Ctrl-C where it runs ends it")
    found = room(wanted_of(recipe={"serve": {"when_training": "refuse"}}), eight, seen_cards("cuda"))[0]
    assert (found.state, "serve.when_training is refuse" in found.said) == ("bad", True)
    lock.close()


@pytest.mark.parametrize(
    ("line", "keys", "state", "text"),
    [
        (H200, {"bf16": "auto", "tf32": True}, "ok", "bf16 auto, tf32 true; the card has it"),
        (T4, {"bf16": "auto"}, "warn", "Tesla T4 has no bf16 of its own and would compute it the long way; --set axolotl.bf16=false --set axolotl.fp16=true"),
        (T4, {"bf16": False, "fp16": True}, "ok", "fp16 true; the card has it"),
        (T4, {"bf16": False, "fp16": True, "tf32": True}, "warn", "Tesla T4 has no tf32"),
        (T4, {"bf16": False, "fp16": True, "attn_implementation": "flash_attention_2"}, "bad", "attn_implementation flash_attention_2 wants compute capability 8.0, and Tesla T4 has 7.5"),
        (T4, {"bf16": False, "fp16": True, "flash_attention": True}, "bad", "attn_implementation flash_attention_2 wants compute capability 8.0"),
        (H200.replace("9.0", "8.9"), {"fp8": True}, "bad", "axolotl.fp8 wants compute capability 9.0, and NVIDIA H200 has 8.9"),
        (H200, {"bf16": False}, "warn", "the recipe names no half precision"),
    ],
)  # fmt: skip
def test_precision_and_attention_against_the_card(
    card: Path, wanted_of: WantedOf, line: str, keys: dict[str, Any], state: str, text: str
) -> None:
    says(card, line)
    found = precision(wanted_of(**keys).config, seen_cards("cuda"))[0]
    assert (found.state, found.text[: len(text)]) == (state, text)


def test_an_old_nvidia_smi_that_does_not_know_the_capability(card: Path, wanted_of: WantedOf) -> None:
    (card / "nvidia-smi").write_text(
        "#!/bin/sh\ncase $1 in *compute_cap*) echo 'Field \"compute_cap\" is not a valid field to query.'; exit 2 ;;\n"
        "--query-gpu*) echo '0, GPU-aaaa, Tesla V100, 16160, 16100, 470.256.02' ;; esac\n"
    )
    (found,) = driver(seen_cards("cuda"))
    assert found.said.startswith("470.256.02 is too old for CUDA 13.0")
    assert precision(wanted_of().config, seen_cards("cuda")) == []
