"""The commit of a hub model, from a cache laid out as huggingface_hub does."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorewright.models.hub import commit


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
