"""The CUDA toolkit that compiles, and what the cards of this machine are called by it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lorewright.errors import LorewrightError

USUAL = Path("/usr/local/cuda")
# FlashAttention 2 is written for these; a card runs what was made for the lower ones of its generation.
FAMILIES = {8: "80", 9: "90", 10: "100", 12: "120"}


@dataclass(frozen=True)
class Toolkit:
    """folder: what CUDA_HOME means. version: as in `13.0`."""

    folder: Path
    version: str


def toolkit(wanted: str) -> Toolkit:
    """The installed toolkit. wanted: the CUDA that PyTorch was built for; the major version must be the same.

    Raises LorewrightError when there is none, or another.
    """
    nvcc = _nvcc()
    text = subprocess.run([str(nvcc), "--version"], capture_output=True, text=True).stdout if nvcc else ""
    found = re.search(r"release (\d+\.\d+)", text)
    if not nvcc or not found:
        raise LorewrightError(
            "no prebuilt flash-attn fits, and to build it the CUDA toolkit (nvcc) is missing",
            remedy=f"install CUDA {wanted}'s toolkit and set CUDA_HOME to its folder; or put a fitting wheel into a folder that "
            "PIP_FIND_LINKS names; or leave it: attn_implementation: sdpa or flex_attention needs none",
        )
    if found[1].partition(".")[0] != wanted.partition(".")[0]:
        raise LorewrightError(
            f"PyTorch is built for CUDA {wanted}, and the toolkit here is {found[1]}",
            where=str(nvcc),
            remedy=f"install CUDA {wanted}'s toolkit and set CUDA_HOME to its folder",
        )
    return Toolkit(nvcc.parents[1], found[1])


def _nvcc() -> Path | None:
    homes = [Path(home) for home in (os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), str(USUAL)) if home]
    on_path = shutil.which("nvcc")
    places = [home / "bin" / "nvcc" for home in homes] + ([Path(on_path).resolve()] if on_path else [])
    return next((place for place in places if place.exists()), None)


def architectures() -> str:
    """What the cards of this machine need, as FLASH_ATTN_CUDA_ARCHS has it; "" where they are not known, which means all."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    majors = [line.strip().partition(".")[0] for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []
    if not all(major.isdigit() and int(major) in FAMILIES for major in majors):
        return ""
    return ";".join(sorted({FAMILIES[int(major)] for major in majors}))
