"""An adapter's folder has a tokenizer, whatever its trainer has left."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorewright.models.tokenizer import TOKENIZERS, beside_adapter
from lorewright.preflight.model import of_folder
from tests.weights import write_model


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("name", TOKENIZERS)
def test_what_is_good_for_a_base_model_is_good_for_an_adapter(adapter: Path, tmp_path: Path, name: str) -> None:
    base = write_model(tmp_path / "base")
    (base / "tokenizer.json").unlink()
    assert of_folder("base", base)[1] == ["there is no tokenizer (tokenizer.json)"]
    (base / name).write_text("{}")
    assert of_folder("base", base)[1] == []
    (adapter / name).write_text("its own")
    assert beside_adapter(adapter, str(base)) == ""
    assert [file.name for file in adapter.iterdir()] == [name]


def test_the_base_models_is_taken_and_what_is_there_stays(adapter: Path, tmp_path: Path) -> None:
    (adapter / "tokenizer_config.json").write_text("trained with")
    assert "was put there" in beside_adapter(adapter, str(write_model(tmp_path / "base")))
    assert (adapter / "tokenizer.json").read_bytes() == (tmp_path / "base" / "tokenizer.json").read_bytes()
    assert (adapter / "tokenizer_config.json").read_text() == "trained with"
    assert not (adapter / "config.json").exists(), "the base's other files are no tokenizer"


def test_where_there_is_none_a_person_is_told(adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for model in ("org/never-fetched", str(tmp_path)):
        assert "put its files there by hand" in beside_adapter(adapter, model)
