"""What stands beside the train environment: added whole or not at all, by the real uv from a folder of packages made here."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lorewright import build_room, envs, extras
from lorewright.cli import main
from lorewright.errors import LorewrightError
from lorewright.extras import cuda
from lorewright.extras.flash_attn import Fits
from tests.extras.packages import source, wheel

PYTHON = f"cp{sys.version_info[0]}{sys.version_info[1]}"
MACHINE = platform.machine()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A train environment with a PyTorch that says it is 2.13 for CUDA 13.0, and the folder that uv finds packages in."""
    uv = envs.uv()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(envs, "uv", lambda: uv)
    folder, pins = tmp_path / "index", tmp_path / "requirements"
    for place in (folder, pins):
        place.mkdir()
    for name, value in {"UV_FIND_LINKS": str(folder), "UV_NO_INDEX": "1", "UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "uv")}.items():
        monkeypatch.setenv(name, value)
    for name in ("PIP_FIND_LINKS", "MAX_JOBS", "CUDA_PATH"):
        monkeypatch.delenv(name, raising=False)
    for file in envs.REQUIREMENTS.glob("*.[tc]*"):
        (pins / file.name).write_text(file.read_text())
    (pins / "flash-attn-build.txt").write_text("buildtool==1\n")
    (pins / "ray.txt").write_text("ray==9.1\n")
    monkeypatch.setattr(envs, "REQUIREMENTS", pins)
    env = envs.locate("train")
    subprocess.run([uv, "venv", "-q", "--relocatable", "--python", sys.executable, str(env.path)], check=True)
    torch = site(env) / "torch"
    torch.mkdir()
    (torch / "__init__.py").write_text("from torch import version\n")
    (torch / "version.py").write_text("__version__ = '2.13.0+cu130'\ncuda: str | None = '13.0'\n")
    return folder


def site(env: envs.Environment) -> Path:
    return next((env.path / "lib").glob("python3*/site-packages"))


def seen(code: str) -> str:
    """What the train environment's Python prints."""
    done = subprocess.run([envs.locate("train").python, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def fitting(torch: str = "2.13") -> str:
    return f"{PYTHON}-{PYTHON}-linux_{MACHINE}", f"2.8.3+cu13torch{torch}cxx11abiTRUE"  # type: ignore[return-value]


def flash(folder: Path, code: str, torch: str = "2.13") -> Path:
    tags, version = fitting(torch)
    return wheel(folder, "flash-attn", version, code, tags)


@pytest.fixture
def toolkit(tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a CUDA toolkit of a version here, and a card of the ninth generation."""

    def put(version: str) -> Path:
        home = tmp_path / "cuda"
        for name, says in (("nvcc", f"Cuda compilation tools, release {version}, V{version}.1"), ("nvidia-smi", "9.0")):
            (home / "bin").mkdir(parents=True, exist_ok=True)
            (home / "bin" / name).write_text(f"#!/bin/sh\necho '{says}'\n")
            (home / "bin" / name).chmod(0o755)
        monkeypatch.setenv("CUDA_HOME", str(home))
        monkeypatch.setenv("PATH", f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}")
        return home

    source(index)
    wheel(index, "buildtool", "1", "")
    return put


def test_a_fitting_wheel_is_taken_and_nothing_else_changes(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flash(index, "raise ImportError('of another PyTorch')", torch="2.8")
    flash(index, "FROM = 'the wheel'")
    before = envs.locate("train")
    assert main(["envs", "add", "flash-attn"]) == 0
    said = f"flash-attn 2.8.3 stands beside the train environment, the wheel flash_attn-{fitting()[1]}-{fitting()[0]}.whl\n"
    assert capsys.readouterr().out == said
    assert envs.locate("train") == before, "the environment's key stays"
    assert seen("import flash_attn; print(flash_attn.FROM)") == "the wheel"
    assert seen("from importlib.metadata import version; print(version('flash-attn'))").startswith("2.8.3")
    (site(before) / "lorewright-extras.pth").unlink()
    assert extras.add("flash-attn") == extras.added()["flash-attn"], "nothing is done twice"
    assert seen("import flash_attn; print(flash_attn.FROM)") == "the wheel", "but what was cut off is finished"
    (before.path / "extras" / "flash-attn" / "bin").mkdir()
    assert before.command_path().split(os.pathsep)[1] == str(before.path / "extras" / "flash-attn" / "bin")
    main(["envs"])
    assert "          + flash-attn 2.8.3, the wheel" in capsys.readouterr().out
    assert main(["envs", "remove", "flash-attn"]) == 0
    assert "No module named" in seen("import flash_attn")


def test_a_wheel_that_does_not_work_is_passed_over_and_the_source_is_built(
    index: Path, toolkit: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    flash(index, "raise ImportError('undefined symbol')")
    home = toolkit("13.2")
    monkeypatch.setattr(build_room, "build_jobs", lambda: 3)
    monkeypatch.setattr("lorewright.extras.flash_attn.build_jobs", lambda: 3)
    extra = extras.add("flash-attn")
    assert extra.how == "built from source here"
    built = seen("import flash_attn, json; print(json.dumps(flash_attn.BUILT))")
    assert json.loads(built) == {
        "MAX_JOBS": "3", "NVCC_THREADS": "1", "CUDA_HOME": str(home), "FLASH_ATTENTION_FORCE_BUILD": "TRUE", "FLASH_ATTN_CUDA_ARCHS": "90",
        "torch": "13.0",
    }  # fmt: skip
    said = capfd.readouterr().err
    assert "it does not work with this PyTorch" in said
    assert f"no prebuilt wheel fits (PyTorch 2.13, CUDA 13.0, {PYTHON}): building flash-attn 2.8.3 from source, 3 files at a time" in said
    assert "that may take up to 40 minutes" in said


def test_a_build_that_fails_leaves_the_environment_as_it_was(toolkit: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    toolkit("13.0")
    env = envs.locate("train")
    before = sorted(site(env).iterdir())
    monkeypatch.setenv("BREAK_THE_BUILD", "1")
    with pytest.raises(LorewrightError, match="could not be built; the train environment is left as it was") as problem:
        extras.add("flash-attn")
    assert any("nvcc fatal: no room" in line for line in problem.value.tail)
    assert sorted(site(env).iterdir()) == before
    assert extras.added() == {} and list((env.path / "extras").iterdir()) == []


def test_what_a_build_needs_is_asked_for_before_it(
    index: Path, toolkit: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cuda, "USUAL", tmp_path / "nowhere")
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setattr(cuda.shutil, "which", lambda name: None)
    with pytest.raises(LorewrightError, match="to build it the CUDA toolkit .nvcc. is missing"):
        extras.add("flash-attn")
    toolkit("12.8")
    with pytest.raises(LorewrightError, match=r"PyTorch is built for CUDA 13.0, and the toolkit here is 12.8"):
        extras.add("flash-attn")
    (site(envs.locate("train")) / "torch" / "version.py").write_text("__version__ = '2.13.0+cpu'\ncuda: str | None = None\n")
    with pytest.raises(LorewrightError, match="needs a PyTorch for CUDA"):
        extras.add("flash-attn")


def test_others_stand_beside_each_other_and_are_needed_by_name(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel(index, "ray", "9.1", "")
    monkeypatch.setitem(extras.NAMES, "ray", (extras.NAMES["ray"][0], "ray", ""))
    flash(index, "")
    with pytest.raises(LorewrightError, match="train.launcher ray needs ray, which is not in the train environment") as problem:
        extras.need("ray", "train.launcher ray")
    assert problem.value.remedy == "./lorewright envs add ray"
    extras.add("ray")
    extras.add("flash-attn")
    extras.need("ray", "train.launcher ray")
    assert seen("import ray, flash_attn; print('both')") == "both"
    (envs.REQUIREMENTS / "ray.txt").write_text("ray==9.2\n")
    with pytest.raises(LorewrightError, match="ray could not be added"):
        extras.add("ray")
    assert extras.added()["ray"].version == "9.1", "what was there stays"
    with pytest.raises(LorewrightError, match="unknown extra 'rya'"):
        extras.add("rya")


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("flash_attn-2.8.3+cu13torch2.13cxx11abiTRUE-cp311-cp311-linux_x86_64.whl", True),
        ("flash_attn-2.8.3+cu130torch2.13-cp311-cp311-manylinux_2_34_x86_64.whl", True),
        ("flash_attn-2.8.3+cu13torch2.13cxx11abiFALSE-cp311-cp311-linux_x86_64.whl", False),
        ("flash_attn-2.8.3+cu12torch2.13cxx11abiTRUE-cp311-cp311-linux_x86_64.whl", False),
        ("flash_attn-2.8.3+cu13torch2.1cxx11abiTRUE-cp311-cp311-linux_x86_64.whl", False),
        ("flash_attn-2.8.3+cu13torch2.13cxx11abiTRUE-cp312-cp312-linux_x86_64.whl", False),
        ("flash_attn-2.8.3+cu13torch2.13cxx11abiTRUE-cp311-cp311-linux_aarch64.whl", False),
        ("flash_attn-2.8.3-cp311-cp311-linux_x86_64.whl", False),
    ],
)
def test_a_wheel_fits_by_its_whole_name(name: str, fits: bool) -> None:
    wanted = Fits("2.8.3", "cp311", "13.0", "2.13", "x86_64")
    assert bool(wanted.pattern().fullmatch(name)) == fits
    assert wanted.pattern().fullmatch(wanted.official().rpartition("/")[2])


def test_jobs_are_bounded_by_memory_and_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAX_JOBS", raising=False)
    for name, text in (("MEMINFO", "MemFree: 1 kB\nMemAvailable: 104857600 kB\n"), ("LIMIT", "max\n"), ("USED", "0\n")):
        monkeypatch.setattr(build_room, name, tmp_path / name)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(build_room.os, "sched_getaffinity", lambda pid: set(range(64)))
    assert build_room.build_jobs() == 19, "(100 GiB - 2) / 5"
    (tmp_path / "LIMIT").write_text(f"{24 * 2**30}\n")
    assert build_room.build_jobs() == 4, "a container's limit counts"
    (tmp_path / "LIMIT").write_text(f"{4 * 2**30}\n")
    assert build_room.build_jobs() == 1
    monkeypatch.setattr(build_room.os, "sched_getaffinity", lambda pid: {0})
    (tmp_path / "LIMIT").write_text("max\n")
    assert build_room.build_jobs() == 1, "no more than cores"
    monkeypatch.setenv("MAX_JOBS", "6")
    assert build_room.build_jobs() == 6
