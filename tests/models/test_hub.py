"""The commit of a hub model, from a cache laid out as huggingface_hub does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lorewright.models.hub import cache, commit, snapshot


def test_commit_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    model = tmp_path / "models--org--name"
    (model / "refs").mkdir(parents=True)
    (model / "snapshots" / "abc123").mkdir(parents=True)
    (model / "refs" / "main").write_text("abc123\n")
    (model / "refs" / "v2").write_text("def456")
    assert (commit("org/name"), commit("org/name@v2"), commit("org/name@abc123")) == ("abc123", "def456", "abc123")
    assert commit("org/name@v3") is None
    assert commit("org/other") is None


def test_the_cache_lies_where_the_hubs_library_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own order of variables; XDG_CACHE_HOME is what we tell people with a small disk to set."""
    for name in ("HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache() == tmp_path / "xdg" / "huggingface" / "hub"
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    assert cache() == tmp_path / "hf" / "hub"
    code = "from huggingface_hub import constants; print(constants.HF_HUB_CACHE)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == str(cache())
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "own"))
    assert cache() == tmp_path / "own"


def test_a_snapshot_is_the_commits_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    model = tmp_path / "models--org--name"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("abc123\n")
    assert snapshot("org/name") is None, "known, and nothing of it fetched"
    (model / "snapshots" / "abc123").mkdir(parents=True)
    assert snapshot("org/name") == model / "snapshots" / "abc123"
