"""What the cards draw is added up from the first step on."""

from __future__ import annotations

import time

import pytest

from lorewright.training.meter import Meter, Sample


def metered(sample: Sample, seconds: float, begin: bool = True) -> Meter:
    with Meter(lambda: sample, every=0.02) as meter:
        if begin:
            meter.begin()
        time.sleep(seconds)
    return meter


def test_watts_times_seconds_of_all_cards() -> None:
    begun = time.monotonic()
    meter = metered([(300.0, 5), (200.0, 9)], 0.4)
    took = time.monotonic() - begun
    assert meter.joules is not None and 500 * 0.3 < meter.joules <= 500 * took
    assert meter.most == 9


@pytest.mark.parametrize("sample", [[], [(None, 7)], [(300.0, 7), (None, 7)]])
def test_what_is_not_told_is_no_figure(sample: Sample) -> None:
    assert metered(sample, 0.1).joules is None


def test_loading_is_not_the_trainings() -> None:
    meter = metered([(300.0, 5)], 0.1, begin=False)
    assert (meter.joules, meter.most) == (None, 0)
