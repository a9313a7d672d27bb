"""What makes a side fail, by figures."""

from __future__ import annotations

import math

import pytest

from lorewright.models.parity.compare import Bound, Share, Verdict
from lorewright.models.parity.ends import End
from lorewright.models.parity.judged import Side, figure, lines, percent

pytestmark = pytest.mark.req("F5")
END = End(2, "<|im_end|>", (2,))


def side(kl: float, share: Share | None, name: str = "served", faults: int = 0) -> Side:
    return Side(name, Verdict(6, 300, kl, kl, 1.0, (), faults, share, Bound(0.01, 0.97)), END)


@pytest.mark.parametrize(
    ("kl", "share", "cause"),
    [
        (0.001, Share(1.0, 0.01, 0.99, 0.3, 0.3), ""),
        (0.001, Share(0.5, 0.01, 0.7, 0.001, 0.001), ""),  # bf16's noise, seen after four steps of a smoke run
        (0.005, Share(0.5, 0.01, 0.9, 0.01, 0.003), "scale"),
        (0.005, Share(0.5, 0.1, 0.9, 0.01, 0.003), ""),  # too few positions to say
        (0.01, Share(0.02, 0.01, 0.1, 0.01, 0.0001), "untouched base"),
        (0.06, Share(0.97, 0.01, 0.91, 0.3, 0.3), "rounding"),
        (0.06, Share(0.6, 0.3, 0.3, 0.3, 0.5), "weights"),
        (0.06, None, "weights"),
    ],
)
def test_the_cause_follows_from_the_figures(kl: float, share: Share | None, cause: str) -> None:
    fault = side(kl, share).fault
    assert (fault.cause if fault else "") == cause
    assert not fault or fault.step == "serve"


def test_no_numbers_are_damage_whatever_the_share_says() -> None:
    fault = side(20.0, Share(0.0, 0.0, 0.0, 0.3, 0.0), faults=300).fault
    assert fault and fault.said == "no numbers come out at 300 of 300 positions"


@pytest.mark.parametrize(("name", "step"), [("merged", "merge"), ("served", "serve"), ("exported", "export")])
def test_each_side_is_the_fault_of_its_own_step(name: str, step: str) -> None:
    fault = side(1.0, None, name).fault
    assert fault and fault.step == step and fault.remedy


def test_the_table_stands_in_columns() -> None:
    head, row = lines({"served": side(0.00014, Share(1.0, 0.01, 0.99, 0.3, 0.3))})
    assert head.index("divergence") == row.index("0.00014 (to 0.01)") and row.endswith("100%     holds")
    assert (
        [figure(value) for value in (None, 0.5, 3.0)] == ["?", "0.5000", "3.00"] and percent(0.9994) == "99.9%" and percent(1.0) == "100%"
    )
    assert math.isclose(side(0.5, None).verdict.bound.kl, 0.01)
