"""The wheel holds all that an installed lorewright needs: schemas and requirement files are found inside the package."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path


def test_wheel_works_away_from_the_checkout(repo: Path, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(build, cwd=repo, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")
    assert "lorewright = lorewright.cli:main" in next((tmp_path / "site").glob("*.dist-info/entry_points.txt")).read_text()
    settings = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    for words, shown in (
        (["validate", str(repo / "configs/starter.yaml")], "ok, recipe starter"),
        (["envs", "path", "core"], "/envs/core-"),
        (["plan", str(repo / "configs/starter.yaml"), "--gpu", "H200"], "training on H200: fits"),
    ):
        done = subprocess.run([sys.executable, "-m", "lorewright.cli", *words], cwd=tmp_path, env=settings, capture_output=True, text=True)
        assert shown in done.stdout, done.stderr
