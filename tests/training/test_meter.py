"""What the cards draw is added up from the first step on."""

from __future__ import annotations

import threading
import time

import pytest

from lorewright.training.meter import Meter, Sample
from lorewright.training.points import drawn


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


def answered(answers: list[Sample]) -> Meter:
    """Asks until all of these answers were given."""
    left, over = list(answers), threading.Event()

    def ask() -> Sample:
        if len(left) == 1:
            over.set()
        return left.pop(0) if len(left) > 1 else left[0]

    with Meter(ask, every=0.005) as meter:
        meter.begin()
        over.wait(10)
    return meter


def test_a_question_without_an_answer_ends_nothing() -> None:
    """One of many is missed: what was drawn meanwhile counts as the rest."""
    begun = time.monotonic()
    meter = answered([*[[(500.0, 5)]] * 60, [], *[[(500.0, 9)]] * 60])
    took = time.monotonic() - begun
    assert meter.joules is not None and 500 * 0.005 * 120 < meter.joules <= 500 * took
    assert meter.most == 9


@pytest.mark.parametrize("missed", [[], [(None, 5)]])
def test_with_much_of_the_time_unanswered_the_sum_is_no_figure(missed: Sample) -> None:
    assert answered([*[[(500.0, 5)]] * 10, *[missed] * 10, [(500.0, 5)]]).joules is None


def test_an_end_without_a_figure_takes_no_earlier_one() -> None:
    first = [{"step": 1.0, "attempt": 1.0, "at": 10.0, "joules": 5000.0}, {"step": 2.0, "attempt": 1.0, "at": 20.0}]
    assert drawn(first) is None
    short = {"step": 3.0, "attempt": 2.0, "at": 1.0}
    assert drawn([first[0], short]) == 5000, "an attempt that ended before the first question"


def test_loading_is_not_the_trainings() -> None:
    meter = metered([(300.0, 5)], 0.1, begin=False)
    assert (meter.joules, meter.most) == (None, 0)
