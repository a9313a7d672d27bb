"""The ledger's counting and judging, on lines as its worker writes them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lorewright.data.ledger import check, count, in_terminal
from lorewright.data.ledger.counted import Ledger
from lorewright.errors import LorewrightError
from lorewright.training.estimate import steps, tokens_per_second


def sample(line: int, **changes: Any) -> dict[str, Any]:
    spans = [[False, "<user>Why?\n<assistant>"], [True, "Because."]]
    return {
        "split": "training", "line": line, "document": f"{line}.md", "tokens": 10, "length": 10, "trained": 4, "fate": "kept", "spans": spans,
        "fault": "",
    } | changes  # fmt: skip


def counted(folder: Path, samples: list[dict[str, Any]]) -> Ledger:
    (folder / "samples.jsonl").write_text("".join(json.dumps(one) + "\n" for one in samples), encoding="utf-8")
    (folder / "facts.json").write_text(
        '{"opening": "<assistant>", "refused": "", "parameters": 1e6, "flops": 1e9, "gpu": false, "devices": 1}'
    )
    return count(folder / "samples.jsonl", folder / "facts.json")


@pytest.mark.req("P4")
def test_everything_is_counted(tmp_path: Path) -> None:
    ledger = counted(
        tmp_path,
        [
            sample(1),
            sample(2, fate="truncated", tokens=8, length=20, trained=2),
            sample(3, fate="dropped", tokens=30, length=30),
            sample(1, split="validation", tokens=6, length=6, trained=1),
        ],
    )
    side = ledger.training
    assert (side.samples, side.used, side.kept, side.truncated, side.dropped) == (3, 2, 1, 1, 1)
    assert (side.tokens, side.trained, side.longest) == (18, 6, 30)
    assert side.lost == [(2, "2.md", "truncated", 20), (3, "3.md", "dropped", 30)]
    figures = ledger.figures()
    assert figures["training"]["masked_tokens"] == 12
    assert figures["training"]["lengths"] == {"8": 1, "10": 1}
    assert figures["validation"]["tokens"] == 6
    assert "flops" not in figures, "the file is the same on every machine"


@pytest.mark.req("P4")
def test_above_two_percent_dropped_is_an_error_with_lines_and_remedy(tmp_path: Path) -> None:
    fine = [sample(line) for line in range(1, 99)]
    check(counted(tmp_path, [*fine, sample(99, fate="dropped"), sample(100, fate="dropped")]), 0.02, "here")
    lost = [sample(line, fate="dropped", length=900) for line in (99, 100, 101)]
    said = r"here: Axolotl drops 3 of 101 training samples \(3.0%; 2.0% are allowed\).*line 99 \(99.md, 900 tokens\).*raise axolotl.sequence_len \(the longest has 900"
    with pytest.raises(LorewrightError, match=said):
        check(counted(tmp_path, [*fine, *lost]), 0.02, "here")
    check(counted(tmp_path, [*fine, *lost]), 0.05, "here")
    held = [sample(line, split="validation", fate="dropped") for line in (1, 2)]
    with pytest.raises(LorewrightError, match="drops 2 of 2 validation samples"):
        check(counted(tmp_path, [*fine, *held]), 0.02, "here")


def test_what_axolotl_refuses_or_leaves_out_is_told_apart(tmp_path: Path) -> None:
    fine = [sample(line) for line in range(1, 40)]
    ledger = counted(tmp_path, [*fine, sample(40, fate="left_out"), sample(41, fate="left_out")])
    assert (ledger.training.left_out, ledger.training.dropped, ledger.training.used) == (2, 0, 39)
    check(ledger, 0.02, "here")  # duplicates, for one, are left out because the recipe says so
    with pytest.raises(LorewrightError, match="Axolotl refuses the set: too long by half"):
        check(replace(ledger, refused="too long by half"), 0.02, "here")
    lost = [sample(line, fate="dropped", length=900) for line in range(40, 140)]
    with pytest.raises(LorewrightError, match=r"line 40 \(40.md, 900 tokens\), .* and 97 more"):
        check(counted(tmp_path, [*fine, *lost]), 0.02, "here")


@pytest.mark.req("P4")
def test_a_single_bad_mask_is_an_error(tmp_path: Path) -> None:
    fine = [sample(line) for line in range(1, 5000)]
    for fault in ("no token is trained", "an answer does not follow the template's opening"):
        with pytest.raises(LorewrightError, match=rf"{fault} in 1 of 5000 training samples: line 5000 \(5000.md\)"):
            check(counted(tmp_path, [*fine, sample(5000, fault=fault)]), 0.02, "here")


def test_a_sample_is_shown_with_its_mask(tmp_path: Path) -> None:
    pieces = [sample(7, spans=[[False, "Ask. "], [True, "First"]]), sample(7, spans=[[False, "Ask. First"], [True, " second."]])]
    counted(tmp_path, [sample(6), *pieces, sample(8), sample(1, split="validation", spans=[[True, "Held."]])])
    file = tmp_path / "samples.jsonl"
    assert in_terminal(file, "7", colour=False) == (
        "training 7, 7.md: 10 tokens, 4 trained, kept\n\nAsk. ⟦First⟧\n\ntraining 7, 7.md: 10 tokens, 4 trained, kept\n\nAsk. First⟦ second.⟧"
    )
    assert "\033[1;32mFirst\033[0m" in in_terminal(file, "7", colour=True)
    assert in_terminal(file, "validation:1", colour=False).endswith("⟦Held.⟧")
    for wrong in ("9", "0", "x", "validation:2", "test:1"):
        with pytest.raises(LorewrightError, match="--show .*: there is no such"):
            in_terminal(file, wrong, colour=False)


@pytest.mark.req("S2")
def test_steps_and_time() -> None:
    recipe = {"micro_batch_size": 2, "gradient_accumulation_steps": 4, "num_epochs": 3, "sequence_len": 100}
    assert steps(recipe, 44, 4000, packed=False) == 17  # 132 samples in eights
    assert steps(recipe, 44, 4000, packed=False, devices=2) == 9
    assert steps(recipe, 44, 4000, packed=True) == 15  # 40 windows
    assert steps(recipe | {"max_steps": 7}, 44, 4000, packed=False) == 7
    assert steps(recipe | {"max_steps": 100}, 44, 4000, packed=False) == 100, "it goes before the epochs"
    assert tokens_per_second(0, 0, gpu=False) == 0
    on_h200 = tokens_per_second(8.03e9, 791e12, gpu=True)
    assert 9_000 < on_h200 < 10_500, "9,650 were measured for an 8B model with QLoRA and fused kernels"
