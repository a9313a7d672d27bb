"""kill -9 in the middle: what was answered is kept, what is open is asked, nothing is asked for twice. Smaller than the benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.augment_faults import server, survive


@pytest.mark.req("Z2")
def test_killed_once_every_prompt_is_answered_once(tmp_path: Path) -> None:
    with server(0.05, seed=3) as url:
        found = survive(url, tmp_path, calls=300, kills=1, seed=5)
    assert (found["lost"], found["twice"], found["wrong"], found["rows"]) == (0, 0, 0, 300)
    assert 15 <= found["at_kill"][0] < 300 and found["again"] <= 32
