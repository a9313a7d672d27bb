"""The comparison by itself: divergences against sums over whole distributions, prompts, and the adapter's share."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from lorewright.models.parity.compare import MOST, Bound, Next, compare, divergence
from lorewright.recipe.bounds import COARSEST, bound_of
from lorewright.recipe.gguf_types import TYPES

pytestmark = pytest.mark.req("F5")
WORDS = 60
BOUND = Bound(0.01, 0.97)


def softmax(logits: Sequence[float]) -> list[float]:
    whole = sum(math.exp(value) for value in logits)
    return [math.exp(value) / whole for value in logits]


def likeliest(probabilities: Sequence[float], top: int = 20) -> Next:
    order = sorted(range(len(probabilities)), key=lambda token: -probabilities[token])[:top]
    return Next({token: math.log(probabilities[token]) for token in order})


def drawn(seed: int) -> list[float]:
    draw = random.Random(seed)
    return [draw.gauss(0, 2) for _ in range(WORDS)]


def write(file: Path, sides: Sequence[Sequence[float]], prompt: Sequence[int] = (1, 2, 3)) -> Path:
    positions = [likeliest(softmax(logits)) for logits in sides]
    rows = [{"ids": list(place.logs), "logprobs": list(place.logs.values())} for place in positions]
    file.write_text(json.dumps({"id": "p0", "prompt_ids": list(prompt), "positions": rows}) + "\n")
    return file


def test_the_divergence_is_never_more_than_the_true_one_and_near_it_where_sides_are_near() -> None:
    for seed in range(200):
        near = 0.05 if seed % 2 else 2.0
        one = softmax(drawn(seed))
        two = softmax([value + near * noise for value, noise in zip(drawn(seed), drawn(seed + 1000), strict=True)])
        true = sum(p * math.log(p / q) for p, q in zip(one, two, strict=True))
        found = divergence(likeliest(one), likeliest(two))
        assert found <= true + 1e-12
        assert found > (0.7 if seed % 2 else 0.2) * true
    assert divergence(likeliest(one), likeliest(one)) == pytest.approx(0.0, abs=1e-12)


def test_lists_without_a_common_token_are_far_apart() -> None:
    one, two = {token: math.log(0.049) for token in range(20)}, {token: math.log(0.049) for token in range(20, 40)}
    assert divergence(Next(one), Next(two)) > 0.5


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_what_is_no_number_counts_most(value: float) -> None:
    assert divergence(Next({1: -0.1, 2: -3.0}), Next({1: value, 2: -3.0})) == MOST


def test_equal_sides_hold_and_others_do_not(tmp_path: Path) -> None:
    sides = [drawn(seed) for seed in range(40)]
    one = write(tmp_path / "one.jsonl", sides)
    assert compare(one, one, BOUND).near
    other = compare(one, write(tmp_path / "two.jsonl", [drawn(seed + 500) for seed in range(40)]), BOUND)
    assert not other.near and other.kl and other.kl > 1 and other.top1 is not None and other.top1 < 0.3
    assert other.worst and other.worst > other.kl


def test_the_divergence_alone_can_break_it_and_so_can_the_likeliest_token(tmp_path: Path) -> None:
    sharp, flat = [[8.0, *[0.0] * 10]], [[3.0, *[0.0] * 10]]
    found = compare(write(tmp_path / "one.jsonl", sharp), write(tmp_path / "two.jsonl", flat), BOUND)
    assert found.top1 == 1.0 and found.kl and found.kl > 0.1 and not found.near
    assert not compare(tmp_path / "one.jsonl", tmp_path / "one.jsonl", Bound(0.01, 1.1)).near


def test_a_near_tie_may_fall_either_way(tmp_path: Path) -> None:
    first = [[2.0, 1.95, *[0.0] * 10]]
    one, two = write(tmp_path / "one.jsonl", first), write(tmp_path / "two.jsonl", [[1.95, 2.0, *[0.0] * 10]])
    far = write(tmp_path / "far.jsonl", [[1.8, 2.0, *[0.0] * 10]])
    assert compare(one, two, BOUND).top1 == 1.0
    assert compare(write(tmp_path / "clear.jsonl", [[2.0, 1.8, *[0.0] * 10]]), far, BOUND).top1 == 0.0


def test_a_prompt_that_is_read_otherwise_is_named_and_not_compared(tmp_path: Path) -> None:
    sides = [drawn(1)]
    one, two = write(tmp_path / "one.jsonl", sides), write(tmp_path / "two.jsonl", sides, (1, 2, 9, 9))
    found = compare(one, two, BOUND)
    assert [(difference.id, difference.at, difference.lengths) for difference in found.differ] == [("p0", 2, (3, 4))]
    assert found.kl is None and not found.near


@pytest.mark.parametrize("there", [0.0, 0.5, 1.0, 2.0])
def test_the_adapters_share_is_found_through_noise(there: float, tmp_path: Path) -> None:
    base = [drawn(seed) for seed in range(200)]
    moves = [[0.3 * value for value in drawn(seed + 1000)] for seed in range(200)]
    noise = [[0.02 * value for value in drawn(seed + 2000)] for seed in range(200)]
    trained = [[b + m for b, m in zip(*pair, strict=True)] for pair in zip(base, moves, strict=True)]
    other = [[b + there * m + n for b, m, n in zip(*row, strict=True)] for row in zip(base, moves, noise, strict=True)]
    files = [write(tmp_path / f"{name}.jsonl", side) for name, side in (("trained", trained), ("other", other), ("base", base))]
    share = compare(files[0], files[1], BOUND, files[0], files[2]).share
    assert share
    assert share.there == pytest.approx(there, abs=0.12)
    assert abs(share.there - there) < 0.05 + 8 * share.error


def test_every_type_of_llama_cpp_has_a_bound_and_coarser_ones_a_wider() -> None:
    bounds = [bound_of(kind) for kind in ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ3_M", "Q2_K", "TQ1_0")]
    assert [bound.kl for bound in bounds] == sorted(bound.kl for bound in bounds)
    assert [bound.top1 for bound in bounds] == sorted((bound.top1 for bound in bounds), reverse=True)
    assert {kind for kind in TYPES if bound_of(kind) == COARSEST} == {"Q2_0", "Q1_0", "TQ2_0", "TQ1_0"}
