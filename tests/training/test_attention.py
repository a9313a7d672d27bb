"""FlashAttention that is not there: what a training takes instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lorewright import envs
from lorewright.training.attention import fall_back
from tests.preflight.test_tools import have

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


@pytest.fixture
def site(fake_tools: Path) -> Path:
    folder = envs.locate("train").path / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.req("Z5")
@pytest.mark.parametrize(("keys", "taken"), [
    ({"attn_implementation": "flash_attention_2"}, "sdpa"),
    ({"flash_attention": True}, "sdpa"),
    ({"attn_implementation": "flash_attention_3"}, "sdpa"),
    ({"attn_implementation": "flash_attention_2", "sample_packing": True}, "flex_attention"),
    ({"attn_implementation": "flash_attention_2", "base_model": "openai/gpt-oss-20b"}, "eager"),
    ({"attn_implementation": "flash_attention_2", "base_model": "nobody/knows-it"}, "sdpa"),
])  # fmt: skip
def test_it_falls_back_and_says_so(site: Path, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any], taken: str) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    config = {"base_model": LLAMA} | keys
    (said,) = fall_back(config)
    assert config["attn_implementation"] == taken and "flash_attention" not in config
    assert f"became {taken}: the train environment has no flash_attn" in said


@pytest.mark.parametrize("keys", [{"attn_implementation": "sdpa"}, {"attn_implementation": "eager"}, {}])
def test_another_attention_stays(site: Path, keys: dict[str, Any]) -> None:
    config = {"base_model": LLAMA} | keys
    assert fall_back(config) == [] and config == {"base_model": LLAMA} | keys


def test_one_that_is_there_is_taken(site: Path) -> None:
    config = {"base_model": LLAMA, "attn_implementation": "flash_attention_2"}
    have("flash-attn")
    assert fall_back(config) == [] and config["attn_implementation"] == "flash_attention_2"
    fresh = {"base_model": LLAMA, "attn_implementation": "flash_attention_3"}
    (site / "flash_attn_3").mkdir()
    assert fall_back(fresh) == []
