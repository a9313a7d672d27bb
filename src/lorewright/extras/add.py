"""Adds an extra beside the train environment, or takes it away. It appears whole: a failing build leaves all as it was."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from lorewright import envs
from lorewright.envs import Environment
from lorewright.errors import LorewrightError
from lorewright.extras.flash_attn import install_flash_attn
from lorewright.extras.imports import trouble

RECORD, VISIBLE = "added.json", "lorewright-extras.pth"


@dataclass(frozen=True)
class Extra:
    """name: as it is asked for. version: of the package. how: where it came from, in words."""

    name: str
    version: str
    how: str


def _install_pinned(name: str) -> Callable[[Environment, Path], str]:
    def install(env: Environment, folder: Path) -> str:
        command = [envs.uv(), "pip", "install", "--no-deps", "--python", env.python, "--target", str(folder)]
        command += ["-r", str(envs.REQUIREMENTS / f"{name}.txt")]
        envs.run_uv(command, env.path.with_suffix(".log"), f"{name} could not be added")
        return "from the index"

    return install


# name -> (what puts it into a folder and says how, what must import afterwards, what helps if it does not)
NAMES: dict[str, tuple[Callable[[Environment, Path], str], str, str]] = {
    "flash-attn": (install_flash_attn, "flash_attn", "leave it: attn_implementation: sdpa or flex_attention needs none"),
    "deepspeed": (
        _install_pinned("deepspeed"),
        "deepspeed",
        "where nvcc is missing, install the CUDA toolkit and set CUDA_HOME to its folder",
    ),
    "ray": (_install_pinned("ray"), "ray.train.torch", "run the same command again: it starts afresh"),
}


def add(name: str) -> Extra:
    """Puts an extra beside the train environment, which is built first where it is missing. Raises LorewrightError."""
    if name not in NAMES:
        raise LorewrightError(f"unknown extra {name!r}", remedy=f"one of {', '.join(NAMES)}")
    env = envs.ensure("train")
    with envs.locked(env):
        found = added(env).get(name)
        if found and found.version == pinned(name):
            _show(env)  # an earlier try may have been ended just before it
            return found
        install, module, missing = NAMES[name]
        beside = _home(env) / f".{name}.building"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        try:
            how = install(env, beside)
            tail = trouble(env, beside, module)
            if tail:
                raise LorewrightError(
                    f"{module} does not work in the train environment, which is left as it was", tail=tail, remedy=missing
                )
            extra = Extra(name, pinned(name), how)
            (beside / RECORD).write_text(json.dumps(asdict(extra)), encoding="utf-8")
            shutil.rmtree(_home(env) / name, ignore_errors=True)
            beside.rename(_home(env) / name)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        _show(env)
    return extra


def remove(name: str) -> bool:
    """Takes an extra away; False when it was not there."""
    env = envs.locate("train")
    if name not in added(env):
        return False
    with envs.locked(env):
        (_home(env) / name / RECORD).unlink()
        _show(env)
        shutil.rmtree(_home(env) / name)
    return True


def added(env: Environment | None = None) -> dict[str, Extra]:
    """What stands beside the train environment, by name."""
    home = _home(env or envs.locate("train"))
    found = [Extra(**json.loads(file.read_text(encoding="utf-8"))) for file in sorted(home.glob(f"*/{RECORD}"))]
    return {extra.name: extra for extra in found if (home / extra.name).is_dir()}


def need(name: str, why: str) -> None:
    """Raises LorewrightError, with the command that helps, where an extra is missing. why: who wants it."""
    if name not in added():
        raise LorewrightError(f"{why} needs {name}, which is not in the train environment", remedy=f"./lorewright envs add {name}")


def pinned(name: str) -> str:
    """The version that the requirement file names."""
    lines = (envs.REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8").split()
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{name}=="))


def _home(env: Environment) -> Path:
    return env.path / "extras"


def _show(env: Environment) -> None:
    """One line an extra, relative to the environment's site-packages, so that the folder may be moved."""
    site = next((env.path / "lib").glob("python3*/site-packages"))
    lines = [os.path.relpath(_home(env) / name, site) for name in added(env)]
    beside = site / f".{VISIBLE}"
    beside.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    beside.rename(site / VISIBLE)
