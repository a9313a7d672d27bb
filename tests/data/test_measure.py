"""Lengths in the recipe's unit."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from lorewright.data.measure import measure
from lorewright.errors import LorewrightError


def test_words_and_characters_need_no_model() -> None:
    assert measure("words", "/nowhere")("one two  three") == 3
    assert measure("characters", "/nowhere")("abc d") == 5


@pytest.mark.real
def test_tokens_are_the_base_models(tiny_model: Path) -> None:
    text = "The clock stopped at 12:31 with a hundred and eighteen people on the Floor."
    wanted = len(Tokenizer.from_file(str(tiny_model / "tokenizer.json")).encode(text).ids)
    assert measure("tokens", str(tiny_model))(text) == wanted > 10


def test_a_model_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LorewrightError, match="no such model folder"):
        measure("tokens", str(tmp_path / "none"))
    with pytest.raises(LorewrightError, match=r"has no tokenizer.json"):
        measure("tokens", str(tmp_path))
