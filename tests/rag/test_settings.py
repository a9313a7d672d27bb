from __future__ import annotations

import json
from pathlib import Path

import pytest

from lorewright.errors import LorewrightError
from lorewright.rag.retrieve import Search
from lorewright.rag.settings import ProxySettings, read_settings
from lorewright.recipe.model import Limits, Rerank, Timeouts

VALUES = {
    "upstream": "http://127.0.0.1:8000/v1/",
    "index": "lore/index",
    "embedding_model": "m",
    "top_k": 5,
    "max_distance": 1,
    "host": "127.0.0.1",
    "port": 8001,
    "recipe": "r",
}


def test_settings_are_read_with_the_index_relative_to_them(tmp_path: Path) -> None:
    file = tmp_path / "proxy.json"
    file.write_text(json.dumps(VALUES))
    expected = ProxySettings("http://127.0.0.1:8000", tmp_path / "lore/index", "m", 5, 1, "127.0.0.1", 8001, "r")
    assert read_settings(file) == expected
    assert expected.search == Search(top_k=5, max_distance=1)
    file.write_text(json.dumps(VALUES | {"index": None}))
    assert read_settings(file).index is None


def test_parts_and_lists_are_read_too(tmp_path: Path) -> None:
    file = tmp_path / "proxy.json"
    parts = {"timeouts": {"connect": 1, "answer": 2, "queue": 3}, "limits": {"answers": 1}, "extra_fields": ["a", "b"], "budget": 300}
    file.write_text(json.dumps(VALUES | parts))
    read = read_settings(file)
    assert (read.timeouts, read.limits, read.extra_fields, read.budget) == (Timeouts(1, 2, 3), Limits(1), ("a", "b"), 300)


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "proxy.json"
    wrong = {name: value for name, value in VALUES.items() if name != "embedding_model"}
    file.write_text(json.dumps(wrong | {"upstream": "localhost", "index": 3, "max_active": True, "x": 1, "limits": {"m": 1}}))
    with pytest.raises(LorewrightError) as caught:
        read_settings(file)
    said = (
        "embedding_model is missing",
        "x is unknown",
        "limits.m is unknown",
        "index must be str or NoneType",
        "max_active must be int",
        "http://",
    )
    for part in said:
        assert part in str(caught.value)
    file.write_text("{")
    with pytest.raises(LorewrightError, match="cannot be read"):
        read_settings(file)
    with pytest.raises(LorewrightError, match="cannot be read"):
        read_settings(tmp_path / "none.json")


def test_the_search_is_what_the_settings_say(tmp_path: Path) -> None:
    file = tmp_path / "proxy.json"
    file.write_text(json.dumps(VALUES))
    assert read_settings(file).search == Search(5, 1.0)
    more = {"lexical": False, "per_source": 2, "neighbours": 1, "rerank": {"model": "m", "deadline_ms": 50, "candidates": 9}}
    file.write_text(json.dumps(VALUES | {"retrieval": more}))
    assert read_settings(file).search == Search(5, 1.0, False, 2, 1, Rerank("m", 50, 9))
    file.write_text(json.dumps(VALUES | {"retrieval": [1]}))
    with pytest.raises(LorewrightError, match="retrieval must be dict"):
        read_settings(file)
