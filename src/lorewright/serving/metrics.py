"""vLLM's /metrics as figures a person watches: requests, speed, cache, latency percentiles. The text format is Prometheus's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# vLLM 0.32's names -> ours.
GAUGES = {
    "vllm:num_requests_running": "running",
    "vllm:num_requests_waiting": "waiting",
    "vllm:kv_cache_usage_perc": "kv_cache_share",
}
COUNTERS = {
    "vllm:prompt_tokens_total": "prompt_tokens",
    "vllm:generation_tokens_total": "generated_tokens",
    "vllm:prefix_cache_queries_total": "prefix_cache_queries",
    "vllm:prefix_cache_hits_total": "prefix_cache_hits",
    "vllm:num_preemptions_total": "preemptions",
    "vllm:request_success_total": "finished",
    "vllm:spec_decode_num_draft_tokens_total": "drafted_tokens",
    "vllm:spec_decode_num_accepted_tokens_total": "accepted_tokens",
}
HISTOGRAMS = {
    "vllm:time_to_first_token_seconds": "first_token",
    "vllm:inter_token_latency_seconds": "between_tokens",
    "vllm:e2e_request_latency_seconds": "whole_request",
    "vllm:request_queue_time_seconds": "queue",
}
QUANTILES = (0.5, 0.95, 0.99)
LINE = re.compile(r'^([A-Za-z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?\s+(\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
# (upper bound in seconds, how many stayed below it), the bounds rising, the last one infinite
Buckets = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Snapshot:
    """One look at /metrics, summed over engines. values: gauges and counters by our names. at: seconds of a monotonic clock."""

    at: float
    values: Mapping[str, float]
    histograms: Mapping[str, Buckets] = field(default_factory=dict)
    voices: tuple[str, ...] = ()


def samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """(name, labels, value) of every line that is a sample; what is none is passed over."""
    for line in text.splitlines():
        found = LINE.match(line)
        if found and not line.startswith("#"):
            try:
                value = float(found[3])
            except ValueError:
                continue
            yield found[1], dict(LABEL.findall(found[2] or "")), value


def snapshot(text: str, at: float) -> Snapshot:
    """What vLLM tells at a moment. Names that it does not have count as 0."""
    values: dict[str, float] = dict.fromkeys((*GAUGES.values(), *COUNTERS.values()), 0.0)
    sums: dict[str, dict[float, float]] = {name: {} for name in HISTOGRAMS.values()}
    voices: tuple[float, tuple[str, ...]] = (0.0, ())
    for name, labels, value in samples(text):
        ours = GAUGES.get(name) or COUNTERS.get(name)
        if ours:
            values[ours] += value
        elif name.endswith("_bucket") and name[:-7] in HISTOGRAMS and "le" in labels:
            bounds = sums[HISTOGRAMS[name[:-7]]]
            bound = float(labels["le"])
            bounds[bound] = bounds.get(bound, 0.0) + value
        elif name == "vllm:lora_requests_info":  # its value is the time at which this was so
            voices = max(voices, (value, tuple(filter(None, labels.get("running_lora_adapters", "").split(",")))))
    return Snapshot(at, values, {name: sorted(bounds.items()) for name, bounds in sums.items()}, voices[1])


def quantile(buckets: Buckets, share: float) -> float | None:
    """The value below which a share of the observations lie, as Prometheus's histogram_quantile: linear inside a bucket.

    None without observations; the last finite bound when it lies beyond all of them.
    """
    total = buckets[-1][1] if buckets else 0.0
    if total <= 0:
        return None
    wanted, low, below = share * total, 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            if bound == float("inf"):
                return low
            return low + (bound - low) * ((wanted - below) / (count - below) if count > below else 0.0)
        low, below = bound, count
    return low


def since(now: Buckets, before: Buckets) -> Buckets:
    """The observations between two looks; all of them when the server was started anew in between."""
    earlier = dict(before)
    changed = [(bound, count - earlier.get(bound, 0.0)) for bound, count in now]
    return now if any(count < 0 for _, count in changed) else changed


def figures(now: Snapshot, before: Snapshot | None = None) -> dict[str, Any]:
    """All that the monitor shows. Rates are over the time between the looks; percentiles too, where something ended in it."""
    seconds = now.at - before.at if before else 0.0

    def rate(name: str) -> float | None:
        if not before or seconds <= 0:
            return None
        return round(max(now.values[name] - before.values[name], 0.0) / seconds, 2)

    asked, drafted = now.values["prefix_cache_queries"], now.values["drafted_tokens"]
    earlier = before.histograms if before else {}
    return dict(now.values) | {
        "tokens_per_second": rate("generated_tokens"),
        "prompt_tokens_per_second": rate("prompt_tokens"),
        "prefix_cache_hit_rate": round(now.values["prefix_cache_hits"] / asked, 4) if asked else None,
        "accepted_share": round(now.values["accepted_tokens"] / drafted, 4) if drafted else None,
        "voices": list(now.voices),
        "latency_seconds": {name: _percentiles(buckets, earlier.get(name, ())) for name, buckets in now.histograms.items()},
    }


def _percentiles(now: Buckets, before: Buckets) -> dict[str, Any]:
    fresh = since(now, before)
    recent = bool(before) and bool(fresh) and fresh[-1][1] > 0
    used = fresh if recent else now
    shown = {f"p{round(share * 100)}": quantile(used, share) for share in QUANTILES}
    return {"count": used[-1][1] if used else 0.0, "recent": recent} | {
        name: None if value is None else round(value, 4) for name, value in shown.items()
    }
