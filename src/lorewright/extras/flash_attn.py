"""FlashAttention for the train environment: a prebuilt wheel where one fits, else built from source within this machine's memory.

A wheel is made for one Python, one CUDA and one PyTorch, and says so in its name only; the packager's own tags do not. The official ones
lie at the project's releases; others are found in the folders of PIP_FIND_LINKS and UV_FIND_LINKS.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from lorewright import envs
from lorewright.build_room import build_jobs
from lorewright.envs import Environment, say
from lorewright.errors import LorewrightError
from lorewright.extras.cuda import Toolkit, architectures, toolkit
from lorewright.extras.imports import trouble

RELEASES = "https://github.com/Dao-AILab/flash-attention/releases/download"
# The project says two hours for one file at a time; it compiles for all cards then, here for the one that is there.
LONGEST_MINUTES = 120


@dataclass(frozen=True)
class Fits:
    """What a wheel must be made for: the Python as in `cp311`, the CUDA and the PyTorch as in `13.0` and `2.13`, the machine."""

    version: str
    python: str
    cuda: str
    torch: str
    machine: str

    def pattern(self) -> re.Pattern[str]:
        """Names of wheels that fit: the project's own, and those that name CUDA's minor version too."""
        major, _, minor = self.cuda.partition(".")
        built = rf"cu{major}(?:{minor})?torch{re.escape(self.torch)}(?:\.\d+)?(?:cxx11abiTRUE)?"
        return re.compile(rf"flash_attn-{re.escape(self.version)}\+{built}-{self.python}-{self.python}-\w*linux\w*_{self.machine}\.whl")

    def official(self) -> str:
        """The address that the project gives the wheel, if there is one."""
        built = f"cu{self.cuda.partition('.')[0]}torch{self.torch}cxx11abiTRUE"
        name = f"flash_attn-{self.version}+{built}-{self.python}-{self.python}-linux_{self.machine}.whl"
        return f"{RELEASES}/v{self.version}/{name}"


def install_flash_attn(env: Environment, folder: Path) -> str:
    """Puts flash-attn into the folder; returns where it came from, in words. Raises LorewrightError."""
    fits = _fits(env)
    for wheel in [*_at_hand(fits), fits.official()]:
        if _took(env, folder, wheel):
            return f"the wheel {wheel.rpartition('/')[2]}"
    _build(env, folder, fits)
    return "built from source here"


def _fits(env: Environment) -> Fits:
    site = next((env.path / "lib").glob("python3*/site-packages"))
    try:
        text = (site / "torch" / "version.py").read_text(encoding="utf-8")
    except OSError:
        text = ""
    torch, cuda = (re.search(rf"^{name}\b[^=\n]*= '([\d.]+)", text, re.MULTILINE) for name in ("__version__", "cuda"))
    if not torch or not cuda:
        raise LorewrightError(
            "flash-attn needs a PyTorch for CUDA, which the train environment has not",
            remedy="on a machine without an NVIDIA card use attn_implementation: sdpa",
        )
    version = (envs.REQUIREMENTS / "flash-attn.txt").read_text(encoding="utf-8").strip().partition("==")[2]
    python = site.parent.name.removeprefix("python").replace(".", "")
    return Fits(version, f"cp{python}", cuda[1], ".".join(torch[1].split(".")[:2]), platform.machine())


def _at_hand(fits: Fits) -> list[str]:
    """Wheels in the folders that pip and uv are told to look into."""
    places = os.environ.get("PIP_FIND_LINKS", "").split() + os.environ.get("UV_FIND_LINKS", "").split(",")
    folders = [Path(place.removeprefix("file://")) for place in places if place]
    names = fits.pattern()
    return [str(file) for folder in folders if folder.is_dir() for file in sorted(folder.iterdir()) if names.fullmatch(file.name)]


def _took(env: Environment, folder: Path, wheel: str) -> bool:
    """Whether the wheel could be had and works."""
    say(f"trying the prebuilt {wheel.rpartition('/')[2]}")
    command = [envs.uv(), "pip", "install", "--no-deps", "--python", env.python, "--target", str(folder), f"flash-attn @ {_address(wheel)}"]
    try:
        envs.run_uv(command, env.path.with_suffix(".log"), "no such wheel")
    except LorewrightError:
        return False
    if not trouble(env, folder, "flash_attn"):
        return True
    say("it does not work with this PyTorch")
    shutil.rmtree(folder)
    folder.mkdir()
    return False


def _address(wheel: str) -> str:
    return wheel if "://" in wheel else Path(wheel).resolve().as_uri()


def _build(env: Environment, folder: Path, fits: Fits) -> None:
    kit = toolkit(fits.cuda)
    jobs = build_jobs()
    say(
        f"no prebuilt wheel fits (PyTorch {fits.torch}, CUDA {fits.cuda}, {fits.python}): building flash-attn {fits.version} from source, "
        f"{jobs} file{'s' if jobs > 1 else ''} at a time; that may take up to {ceil(LONGEST_MINUTES / jobs)} minutes"
    )
    python = _builder(env, folder.with_name(f"{folder.name}-with"))
    command = [envs.uv(), "pip", "install", "--no-deps", "--no-build-isolation", "--no-binary", "flash-attn", "--python", python]
    try:
        envs.run_uv(
            [*command, "--target", str(folder), f"flash-attn=={fits.version}"], env.path.with_suffix(".log"),
            "flash-attn could not be built; the train environment is left as it was", _variables(kit, jobs),
        )  # fmt: skip
    finally:
        shutil.rmtree(folder.with_name(f"{folder.name}-with"))


def _builder(env: Environment, place: Path) -> str:
    """A throw-away environment that sees the train environment's PyTorch and has what a build needs; returns its Python."""
    log, failed = env.path.with_suffix(".log"), "what flash-attn is built with could not be had"
    shutil.rmtree(place, ignore_errors=True)
    envs.run_uv([envs.uv(), "venv", "-q", "--python", env.python, str(place)], log, failed)
    python = str(place / "bin" / "python")
    site = next((place / "lib").glob("python3*/site-packages"))
    (site / "train.pth").write_text(f"{next((env.path / 'lib').glob('python3*/site-packages'))}\n", encoding="utf-8")
    envs.run_uv(
        [envs.uv(), "pip", "install", "--no-deps", "--python", python, "-r", str(envs.REQUIREMENTS / "flash-attn-build.txt")], log, failed
    )
    return python


def _variables(kit: Toolkit, jobs: int) -> dict[str, str]:
    """One thread a file, so that the memory of a job is known; for the cards of this machine alone, which saves most of the work."""
    found = {
        "MAX_JOBS": str(jobs), "NVCC_THREADS": "1", "CUDA_HOME": str(kit.folder), "FLASH_ATTENTION_FORCE_BUILD": "TRUE",
        "PATH": f"{kit.folder / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
    }  # fmt: skip
    wanted = architectures()
    return found | ({"FLASH_ATTN_CUDA_ARCHS": wanted} if wanted else {})
