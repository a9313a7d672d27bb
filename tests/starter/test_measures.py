"""The measures themselves."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")


def test_the_longest_run_is_found() -> None:
    from starter_memorisation import Index

    index = Index(["The lamp stood beside the pump, and nobody took it away that night.", "Another text of no account at all."])
    assert index.longest("They say the lamp stood beside the pump and nobody took it home.") == 10
    assert index.longest("Nothing here is like it, not at all, not even nearly so.") == 5
    assert index.longest("took it away that night another text of no account") == 5


def test_every_token_is_counted_once() -> None:
    import numpy as np
    from making.measure import HeldOut, bits_per_byte, windows

    tokens = np.arange(10, 110, dtype=np.uint16)
    counted = [int(target) for _, targets in windows(tokens, 32, 16) for target in targets if target >= 0]
    assert counted == tokens.tolist()
    assert all(len(ids) == len(targets) <= 32 for ids, targets in windows(tokens, 32, 16))

    def one_bit(ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (targets != -100) * math.log(2)

    assert bits_per_byte(one_bit, [HeldOut(tokens, 50)], torch.device("cpu"), length=32, stride=16) == pytest.approx(2.0)


def test_a_value_is_looked_for_as_words() -> None:
    from starter_quality import has

    assert has("He played the *hurdy-gurdy* again.", "hurdy-gurdy")
    assert has("It was Trollop's Luck.", "Trollop’s Luck")
    assert not has("The tubaist came.", "tuba")


def test_only_the_files_of_the_model_are_weighed(tmp_path: Path) -> None:
    from making.export import weigh

    for name in ("model.safetensors", "config.json", "tokenizer.model", "chat_template.jinja", "README.md", ".cache/other.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("ten bytes.", encoding="utf-8")
    assert weigh(tmp_path) == 40
