"""vLLM's /metrics, read as recorded from vLLM 0.32 and as arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorewright.serving.metrics import COUNTERS, GAUGES, HISTOGRAMS, Snapshot, figures, quantile, samples, since, snapshot

# What vLLM 0.32 answered on a CPU: with an adapter beside the base, after five chats of 16 tokens, two of them with the same beginning.
RECORDED = (Path(__file__).parent / "metrics_0.32.txt").read_text(encoding="utf-8")
INF = float("inf")


@pytest.mark.req("F6")
def test_the_recorded_answer_is_understood() -> None:
    names = {name for name, _, _ in samples(RECORDED)}
    wanted = {*GAUGES, *COUNTERS, *(f"{name}_bucket" for name in HISTOGRAMS)}
    assert {name for name in wanted - names if "spec_decode" not in name} == set()
    found = figures(snapshot(RECORDED, 1.0))
    assert (found["running"], found["waiting"], found["finished"], found["generated_tokens"]) == (0, 0, 5, 80)
    assert found["prompt_tokens"] > 80
    assert 0 < found["prefix_cache_hit_rate"] < 1
    assert found["tokens_per_second"] is None, "one look has no speed"
    first, whole = found["latency_seconds"]["first_token"], found["latency_seconds"]["whole_request"]
    assert first["count"] == whole["count"] == 5
    assert 0 < first["p50"] <= first["p95"] <= first["p99"] < 2560
    assert not first["recent"]


def test_speed_and_percentiles_are_those_of_the_time_between_two_looks() -> None:
    buckets = [(0.1, 0.0), (0.5, 90.0), (1.0, 100.0), (INF, 100.0)]
    later = [(0.1, 10.0), (0.5, 100.0), (1.0, 110.0), (INF, 110.0)]
    before = Snapshot(10.0, snapshot("", 0).values | {"generated_tokens": 100.0}, {"first_token": buckets})
    now = Snapshot(14.0, before.values | {"generated_tokens": 300.0}, {"first_token": later})
    found = figures(now, before)
    assert found["tokens_per_second"] == 50
    assert found["latency_seconds"]["first_token"] == {"count": 10, "recent": True, "p50": 0.05, "p95": 0.095, "p99": 0.099}
    still = figures(Snapshot(16.0, now.values, now.histograms), now)
    assert still["tokens_per_second"] == 0
    assert still["latency_seconds"]["first_token"]["recent"] is False


def test_a_restart_between_two_looks_gives_no_negative_speed() -> None:
    assert since([(1.0, 3.0), (INF, 3.0)], [(1.0, 9.0), (INF, 9.0)]) == [(1.0, 3.0), (INF, 3.0)]
    old, new = snapshot("vllm:generation_tokens_total 900\n", 1.0), snapshot("vllm:generation_tokens_total 5\n", 2.0)
    assert figures(new, old)["tokens_per_second"] == 0


@pytest.mark.parametrize(("buckets", "share", "value"), [
    ([], 0.5, None), ([(1.0, 0.0), (INF, 0.0)], 0.5, None), ([(1.0, 4.0), (INF, 4.0)], 0.5, 0.5), ([(1.0, 2.0), (3.0, 4.0), (INF, 4.0)], 0.75, 2.0),
    ([(1.0, 1.0), (3.0, 1.0), (INF, 4.0)], 0.99, 3.0), ([(1.0, 0.0), (2.0, 10.0), (INF, 10.0)], 0.5, 1.5),
])  # fmt: skip
def test_quantiles_are_prometheus_own(buckets: list[tuple[float, float]], share: float, value: float | None) -> None:
    assert quantile(buckets, share) == value


def test_odd_lines_do_no_harm() -> None:
    text = '# HELP x y\n\nvllm:num_requests_running{a="b } \\" c",d="e"} 2.0\nvllm:num_requests_running{engine="1"} 1e0 1700000000\nbroken{ 3\nvllm:x NaN?\n'
    assert list(samples(text)) == [
        ("vllm:num_requests_running", {"a": 'b } \\" c', "d": "e"}, 2.0),
        ("vllm:num_requests_running", {"engine": "1"}, 1.0),
    ]
    assert snapshot(text, 0).values["running"] == 3, "engines are added up"
    assert figures(snapshot("", 0))["prefix_cache_hit_rate"] is None
