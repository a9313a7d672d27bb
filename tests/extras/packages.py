"""Packages made on the spot, as an index's files: what uv installs and builds from a folder."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

# Builds a wheel with what it finds: the other packages of the build's environment, and the variables that bound it.
BACKEND = """
import json, os, zipfile
import buildtool, torch

def build_wheel(folder, settings=None, metadata=None):
    names = ("MAX_JOBS", "NVCC_THREADS", "CUDA_HOME", "FLASH_ATTENTION_FORCE_BUILD", "FLASH_ATTN_CUDA_ARCHS")
    seen = {name: os.environ.get(name) for name in names} | {"torch": torch.version.cuda}
    if os.environ.get("BREAK_THE_BUILD"):
        raise SystemExit("nvcc fatal: no room")
    name = "flash_attn-2.8.3-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("flash_attn/__init__.py", f"BUILT = {seen!r}")
        wheel.writestr("flash_attn-2.8.3.dist-info/METADATA", "Metadata-Version: 2.1\\nName: flash-attn\\nVersion: 2.8.3\\n")
        wheel.writestr("flash_attn-2.8.3.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: here\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("flash_attn-2.8.3.dist-info/RECORD", "")
    return name
"""


def wheel(folder: Path, name: str, version: str, code: str, tags: str = "py3-none-any") -> Path:
    """A wheel of one module with this code. tags: of its file name."""
    module, stem = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}"
    files = {
        f"{module}/__init__.py": code,
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{stem}.dist-info/WHEEL": f"Wheel-Version: 1.0\nGenerator: here\nRoot-Is-Purelib: true\nTag: {tags}\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in files.items())
    folder.mkdir(exist_ok=True)
    file = folder / f"{stem}-{tags}.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in {**files, f"{stem}.dist-info/RECORD": record}.items():
            archive.writestr(path, text)
    return file


def source(folder: Path) -> None:
    """flash-attn's source as an index has it, with a backend that shows what it was built with."""
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": BACKEND,
        "PKG-INFO": "Metadata-Version: 2.1\nName: flash_attn\nVersion: 2.8.3\n",
    }
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / "flash_attn-2.8.3.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"flash_attn-2.8.3/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
