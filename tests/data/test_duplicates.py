"""Which keys were given before: as a dictionary would say, in a fraction of its memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorewright.data import duplicates
from lorewright.data.duplicates import Seen, SeenTags

BATCHES = st.lists(st.lists(st.integers(0, 40), max_size=30), max_size=8)


@pytest.fixture(autouse=True)
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MOST", 80)  # ten keys, forty tags


@given(BATCHES)
@pytest.mark.parametrize("kind", [Seen, SeenTags])
def test_the_first_appearance_is_told(kind: type[Seen] | type[SeenTags], batches: list[list[int]]) -> None:
    seen, first, number = kind(), dict[int, int](), 0
    for batch in batches:
        keys = np.array([(key * 0x9E3779B97F4A7C15) % 2**64 for key in batch], np.uint64)
        numbers = np.arange(number, number + len(batch))
        told = seen.before(keys, numbers).tolist()
        wanted = []
        for at, key in enumerate(batch):
            wanted.append(first.get(key, -1))
            first.setdefault(key, number + at)
        assert told == wanted
        number += len(batch)
    runs = [run if isinstance(run, np.ndarray) else run[0] for run in seen.runs]
    assert sum(map(len, runs)) == len(first), "each key is kept once"
