"""Environments: keys, settings handed to uv, and that a half-built one is never taken for whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lorewright import envs
from lorewright.compiling import compiled
from lorewright.errors import LorewrightError

GPU_FILES = ("train-gpu.txt", "serve-gpu.txt")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("LOREWRIGHT_ACCELERATOR", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)


def fake_uv(folder: Path, script: str) -> None:
    """A uv that runs a shell script, in the place of the private one."""
    pin = (envs.REQUIREMENTS / "uv.txt").read_text().strip().replace("==", "-")
    uv = folder / "lorewright" / pin / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    uv.write_text(f"#!/bin/sh\n{script}\n")
    uv.chmod(0o755)


VENV = 'for last; do :; done; [ "$1 $2" = "--no-progress venv" ] && mkdir -p "$last/bin" && : > "$last/bin/python"; : ; '


def test_key_changes_with_accelerator_and_requirements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOREWRIGHT_ACCELERATOR", "cpu")
    cpu = envs.locate("train").key, envs.locate("core").key
    monkeypatch.setenv("LOREWRIGHT_ACCELERATOR", "cuda")
    cuda = envs.locate("train").key, envs.locate("core").key
    assert cpu[0] != cuda[0]
    assert cpu[1] == cuda[1], "the core environment is the same on every machine"


def test_build_is_renamed_into_place(tmp_path: Path) -> None:
    fake_uv(tmp_path, VENV + 'echo "$@" >> "$XDG_CACHE_HOME/calls"')
    env = envs.ensure("export")
    assert env.ready
    assert env.path.parent == tmp_path / "lorewright" / "envs"
    calls = (tmp_path / "calls").read_text()
    assert "--no-deps" in calls
    assert not list(env.path.parent.glob(".*building")), "built beside, then renamed"
    assert str(envs.REQUIREMENTS / "export.txt") in calls
    envs.ensure("export")
    assert (tmp_path / "calls").read_text() == calls, "a whole environment is not built again"


def test_what_is_compiled_is_told_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_JOBS", "3")
    fake_uv(tmp_path, VENV + 'echo "$@, $CMAKE_BUILD_PARALLEL_LEVEL" >> "$XDG_CACHE_HOME/calls"')
    envs.ensure("export")
    told = (tmp_path / "calls").read_text().splitlines()[-1]
    assert f"--build-constraints {envs.REQUIREMENTS / 'export-build.txt'}" in told
    assert f"llama-cpp-python:cmake.define.CMAKE_PROJECT_llama_cpp_INCLUDE={envs.REQUIREMENTS / 'export.cmake'}" in told
    content = hashlib.sha256((envs.REQUIREMENTS / "export.cmake").read_bytes()).hexdigest()[:12]
    assert f"llama-cpp-python:cmake.define.LOREWRIGHT_TOLD={content}" in told, "or uv would take what it built by an older file"
    assert told.endswith(", 3"), "no more files at a time than memory allows"
    envs.ensure("charts")
    assert (tmp_path / "calls").read_text().splitlines()[-1].endswith(", "), "nothing else is compiled"


def test_how_it_is_compiled_is_a_part_of_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(envs.REQUIREMENTS, tmp_path / "requirements")
    before = envs.locate("export").key, envs.locate("charts").key
    monkeypatch.setattr(envs, "REQUIREMENTS", tmp_path / "requirements")
    assert (envs.locate("export").key, envs.locate("charts").key) == before
    with open(tmp_path / "requirements" / "export.cmake", "a") as told:
        told.write("set(GGML_NATIVE ON)\n")
    assert envs.locate("export").key != before[0]
    assert envs.locate("charts").key == before[1]


def test_a_missing_compiler_is_told_before_anything_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_uv(tmp_path, VENV + 'echo "$@" >> "$XDG_CACHE_HOME/calls"')
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gcc").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "gcc").chmod(0o755)
    for name in ("CC", "CXX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(LorewrightError, match=r"llama-cpp-python is compiled here, and g\+\+ is missing; install a C and C\+\+ compiler"):
        envs.ensure("export")
    assert not (tmp_path / "calls").exists()
    monkeypatch.setenv("CXX", f"{tmp_path / 'bin' / 'gcc'} -O1")
    assert compiled("export", envs.REQUIREMENTS).said.startswith("llama-cpp-python is compiled"), "one that is named will do"


def test_failed_build_is_not_taken_for_whole(tmp_path: Path) -> None:
    fake_uv(tmp_path, VENV + 'case "$*" in *install*) echo "no such package" ; exit 2;; esac')
    with pytest.raises(LorewrightError, match="could not be built") as problem:
        envs.ensure("export")
    assert any("no such package" in line for line in problem.value.tail)
    assert not envs.locate("export").ready
    fake = tmp_path / "lorewright"
    shutil.rmtree(next(fake.glob("uv-*")))
    fake_uv(tmp_path, VENV)
    assert envs.ensure("export").ready, "the next try starts afresh"


def test_too_little_disk_is_said_before_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_uv(tmp_path, VENV)
    monkeypatch.setitem(envs.DISK_GIB["cpu"], "core", 10**9)
    monkeypatch.setenv("LOREWRIGHT_ACCELERATOR", "cpu")
    with pytest.raises(LorewrightError, match=r"needs 1000000000 GiB of disk"):
        envs.ensure("core")


def test_pip_settings_reach_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "/a /b")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://more.example/simple")
    settings = envs.uv_settings()
    assert settings["UV_FIND_LINKS"] == "/a,/b"
    assert settings["UV_DEFAULT_INDEX"] == "https://index.example/simple"
    assert settings["UV_INDEX"] == "https://more.example/simple"


def test_cpu_torch_is_asked_for_unless_the_user_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOREWRIGHT_ACCELERATOR", "cpu")
    assert envs._torch_backend("core") == ["--torch-backend", "cpu"]
    (tmp_path / "torch-2.13.0+cpu-cp311.whl").touch()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert envs._torch_backend("core") == []
    monkeypatch.setenv("LOREWRIGHT_ACCELERATOR", "cuda")
    monkeypatch.delenv("PIP_FIND_LINKS")
    assert envs._torch_backend("train") == [], "a GPU machine wants CUDA builds for training"
    assert envs._torch_backend("core") == ["--torch-backend", "cpu"], "and leaves its memory to the model"


def test_unknown_accelerator_and_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LorewrightError, match="unknown environment"):
        envs.locate("kitchen")
    monkeypatch.setenv("LOREWRIGHT_ACCELERATOR", "tpu")
    with pytest.raises(LorewrightError, match="cpu or cuda"):
        envs.accelerator()


def test_every_requirement_is_pinned_and_names_no_host(repo: Path) -> None:
    files = sorted((repo / "requirements").glob("*.txt"))
    assert {file.name for file in files} >= {
        "core.txt",
        "train-cpu.txt",
        *GPU_FILES,
        "serve-cpu.txt",
        "export.txt",
        "charts.txt",
        "dev.txt",
        "uv.txt",
    }
    for file in files:
        lines = [line for line in file.read_text().splitlines() if line.strip()]
        assert lines
        loose = [line for line in lines if "==" not in line or "://" in line or line.startswith("-")]
        assert not loose, f"{file.name}: {loose}"


def test_the_system_python_alone_can_run_the_launcher_part(repo: Path, tmp_path: Path) -> None:
    """envs.py must not need any package: isolated mode sees none but the standard library."""
    code = f"import sys; sys.path.insert(0, {str(repo / 'src')!r}); import lorewright.envs; print([m for m in sys.modules if m in ('yaml', 'rich')])"
    done = subprocess.run([sys.executable, "-S", "-I", "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_no_pip_and_no_uv_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LorewrightError, match=r"cannot fetch uv==.* with pip: no message; install your system's python3-pip"):
        envs.uv()
    (tmp_path / "uv").write_text("#!/bin/sh\n")
    (tmp_path / "uv").chmod(0o755)
    assert envs.uv() == str(tmp_path / "uv"), "one that the user has will do"


@pytest.mark.real
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("file", [*GPU_FILES])
def test_gpu_requirements_resolve(file: str, python: str, tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They cannot be installed without a GPU build of everything; that they fit together is uv's to say."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    files = [repo / "requirements" / name for name in (file, *(("deepspeed.txt", "ray.txt") if file.startswith("train") else ()))]
    command = [envs.uv(), "pip", "compile", "-q", *map(str, files), "--python-platform", "x86_64-manylinux_2_28",
               "--python-version", python, "-o", str(tmp_path / "resolved.txt"), "--no-header"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | envs.uv_settings())
    assert done.returncode == 0, done.stderr
    pinned = {line.split(";")[0].strip() for place in files for line in place.read_text().splitlines()}
    resolved = {
        line.strip() for line in (tmp_path / "resolved.txt").read_text().splitlines() if "==" in line and not line.strip().startswith("#")
    }
    assert resolved <= pinned, f"not pinned: {resolved - pinned}"


@pytest.mark.long
@pytest.mark.req("F11")
def test_the_export_environment_really_builds(tmp_path: Path) -> None:
    """llama.cpp is compiled from source; minutes."""
    env = envs.ensure("export")
    done = subprocess.run([env.python, "-c", "import llama_cpp; print(llama_cpp.__version__)"], capture_output=True, text=True)
    assert done.stdout.strip() == "0.3.36", done.stderr
