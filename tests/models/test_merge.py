"""A merged folder is whole and carries the tokenizer that was trained with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lorewright.errors import LorewrightError
from lorewright.models.merge import check_whole, complete


def model(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).write_text(folder.name)
    return folder


@pytest.mark.req("F5")
def test_the_trained_tokenizer_replaces_the_bases(tmp_path: Path) -> None:
    merged = model(tmp_path / "merged", "tokenizer.json", "chat_template.jinja", "config.json")
    adapter = model(tmp_path / "adapter", "tokenizer.json", "chat_template.jinja", "adapter_model.safetensors")
    complete(merged, adapter)
    assert (merged / "tokenizer.json").read_text() == (merged / "chat_template.jinja").read_text() == "adapter"
    assert (merged / "config.json").read_text() == "merged"
    assert not (merged / "adapter_model.safetensors").exists()


@pytest.mark.req("F5")
def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    merged = model(tmp_path / "merged", "config.json", "tokenizer_config.json", "model-00001-of-00002.safetensors")
    weights = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (merged / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))
    with pytest.raises(LorewrightError, match=r"lacks model-00002-of-00002.safetensors"):
        check_whole(merged)
    (merged / "model-00002-of-00002.safetensors").write_text("12345")
    assert check_whole(merged) == {"shards": 2, "bytes": 11}


def test_an_empty_folder_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(LorewrightError, match=r"config.json, tokenizer_config.json, model.safetensors"):
        check_whole(tmp_path)
