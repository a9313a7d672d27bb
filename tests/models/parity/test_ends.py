"""What answers were trained to end with, by Axolotl's own reading, and whether a model ends there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lorewright.models.parity.compare import Bound, Verdict
from lorewright.models.parity.ends import End, known_ends, trained_end
from lorewright.models.parity.judged import Side

pytestmark = pytest.mark.req("F5")
SAME = Verdict(1, 10, 0.0, 0.0, 1.0, bound=Bound(0.01, 0.97))


def samples(file: Path, *ends: str) -> Path:
    rows = [{"spans": [[False, "<|im_start|>user\nWho?<|im_end|>\n"], [True, f"Wim.{end}"], [False, "\n"]]} for end in ends]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_the_end_is_the_token_that_most_answers_end_with(tiny_model: Path, tmp_path: Path) -> None:
    assert trained_end(samples(tmp_path / "a", "<|im_end|>\n", "<|im_end|>", "<|endoftext|>"), tiny_model) == (2, "<|im_end|>")
    assert trained_end(samples(tmp_path / "b", "", "", "<|endoftext|>"), tiny_model) == (0, "<|endoftext|>"), "pieces have none"
    assert trained_end(samples(tmp_path / "c", "", " and on"), tiny_model) == (-1, "")


def test_a_models_ends_are_its_generation_configs_else_its_configs(tmp_path: Path) -> None:
    assert known_ends(tmp_path) == ()
    (tmp_path / "config.json").write_text('{"eos_token_id": 7}')
    assert known_ends(tmp_path) == (7,)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [2, 0]}')
    assert known_ends(tmp_path) == (2, 0)


@pytest.mark.parametrize(
    ("end", "held"),
    [
        (End(-1, "", (0,)), True),
        (End(2, "<|im_end|>", (2, 0)), True),
        (End(2, "<|im_end|>", (0,)), False),
        (End(2, "<|im_end|>", (0,), stops=True), True),
        (End(2, "<|im_end|>", (2,), stops=False), False),
    ],
)
def test_what_a_server_does_counts_more_than_what_a_file_says(end: End, held: bool) -> None:
    side = Side("served", SAME, end)
    assert side.held is held
    assert held or (side.fault and side.fault.cause == "end token")
