"""What cards draw, as nvidia-smi tells it."""

from __future__ import annotations

import pytest

from lorewright.serving import gpu

ROWS = [["GPU-aaaa", "312.55", "20480"], ["GPU-bbbb", "[N/A]", "[N/A]"], ["GPU-cccc", "75", "1"], ["No devices were found"]]


def test_only_the_cards_that_are_meant_and_what_the_driver_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_rows", lambda query: ROWS)
    assert gpu.drawn(("GPU-cccc", "GPU-aaaa")) == [(75.0, 2**20), (312.55, 20 * 2**30)]
    assert gpu.drawn(("GPU-bbbb",)) == [(None, 0)]
    assert gpu.drawn(("0",)) == []


def test_without_a_card_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_rows", lambda query: pytest.fail("asked"))
    assert gpu.drawn(()) == []
