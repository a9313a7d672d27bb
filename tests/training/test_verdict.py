"""The losses of a training, in words that say whether it was worth it."""

from __future__ import annotations

import pytest

from lorewright.training.verdict import verdict

LOSSES = [(1, 4.0), (2, 3.0)]


@pytest.mark.parametrize(
    ("held", "kept", "said", "advice", "good"),
    [
        ([(0, 4.155), (11, 3.632), (22, 3.613)], [22], "fell from 4.155 before the training to 3.613: each next word of it has become 1.7 times as likely", "levelled off", True),
        ([(0, 4.0), (10, 3.5), (20, 3.3)], [20], "fell from 4.000", "still falling", True),
        ([(0, 4.0), (10, 3.5), (20, 3.7), (30, 3.9)], [10, 30], "to 3.500 at step 10: each next word of it has become 1.6 times as likely. Then it rose to 3.900.", "adapter/checkpoint-10 is the better one", True),
        ([(0, 4.0), (10, 3.5), (20, 3.7), (30, 3.9)], [30], "Then it rose", "no checkpoint of that step is kept", True),
        ([(0, 4.0), (10, 3.99), (20, 4.2)], [20], "so far the training was not worth it", "Look into the training set's report", False),
        ([(10, 3.5), (20, 3.3)], [], "from 3.500 at step 10 to 3.300", "", True),
        ([(0, 4.0)], [], "measured once", "", None),
        ([], [], "The loss on the trained text went from 4.000 to 3.000.", "set data.validation", None),
    ],
)  # fmt: skip
def test_what_the_losses_mean(held: list[tuple[float, float]], kept: list[int], said: str, advice: str, good: bool | None) -> None:
    found = verdict(LOSSES, held, kept)
    assert said in found.said
    assert advice in found.next
    assert found.good is good


def test_nothing_logged_is_told_as_such() -> None:
    assert "No loss was logged" in verdict([], [], []).said


def test_an_adapter_of_the_best_step_needs_nothing_done() -> None:
    assert verdict(LOSSES, [(0, 4.0), (10, 3.5), (20, 3.7)], [10, 20], adapter=10).next.endswith("the adapter is that of step 10.")
