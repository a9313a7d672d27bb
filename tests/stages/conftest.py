"""What the tests of the ingest stage share: an embedder that needs no model."""

from __future__ import annotations

import pytest

from lorewright.stages import ingest as stage
from tests.rag.fakes import WordEmbedder


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The embedders that were loaded."""
    loaded: list[str] = []

    def load(name: str, precision: str) -> WordEmbedder:
        loaded.append(name)
        return WordEmbedder()

    monkeypatch.setattr(stage, "load_embedder", load)
    return loaded
