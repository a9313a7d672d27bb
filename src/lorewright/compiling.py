"""Environments of which a package is compiled on this machine: what that needs, and how the build is told.

Only the export environment has one: llama-cpp-python comes as source alone. Standard library only, like envs.py.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from lorewright.build_room import build_jobs
from lorewright.errors import LorewrightError

JOB_GIB = 1.0  # the most that a file of llama.cpp takes to compile: 0.45 measured, 0.3.36 with GCC 12, and rounded up
# environment -> (the package, what its build is made with, what is told to CMake), files of the requirements' folder
COMPILED = {"export": ("llama-cpp-python", "export-build.txt", "export.cmake")}


@dataclass(frozen=True)
class Compiled:
    """arguments: for uv's install. variables: for the build. said: what a person should know beforehand."""

    arguments: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    said: str = ""


def files(name: str, requirements: Path) -> list[Path]:
    """What the build depends on besides the pinned packages; they are a part of the environment's key."""
    return [requirements / file for file in COMPILED[name][1:]] if name in COMPILED else []


def compiled(name: str, requirements: Path) -> Compiled:
    """How the environment is built here. Raises LorewrightError where there is no compiler."""
    if name not in COMPILED:
        return Compiled()
    package, made_with, told = COMPILED[name]
    _check_compiler(package)
    jobs = build_jobs(JOB_GIB)
    # uv keeps what it has built by these settings: the file's content must be among them, and not its name alone
    content = hashlib.sha256((requirements / told).read_bytes()).hexdigest()[:12]
    settings = {"CMAKE_PROJECT_llama_cpp_INCLUDE": str(requirements / told), "LOREWRIGHT_TOLD": content}
    arguments = ["--build-constraints", str(requirements / made_with)]
    for name, value in settings.items():
        arguments += ["--config-settings-package", f"{package}:cmake.define.{name}={value}"]
    said = f"{package} is compiled, {jobs} file{'s' if jobs > 1 else ''} at a time: a few minutes, once"
    return Compiled(tuple(arguments), (("CMAKE_BUILD_PARALLEL_LEVEL", str(jobs)),), said)


def _check_compiler(package: str) -> None:
    """CMake and Ninja come from the index where the system has none; a compiler does not."""
    wanted = {"CC": ("gcc", "cc", "clang"), "CXX": ("g++", "c++", "clang++")}
    chosen = {variable: os.environ.get(variable, "").split()[:1] for variable in wanted}  # "ccache gcc" is a command with its words
    missing = [names[0] for variable, names in wanted.items() if not any(map(shutil.which, [*chosen[variable], *names]))]
    if missing:
        raise LorewrightError(
            f"{package} is compiled here, and {' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} missing",
            remedy="install a C and C++ compiler (Debian, Ubuntu: apt install build-essential; Fedora: dnf install gcc-c++), "
            "or name yours in CC and CXX",
        )
