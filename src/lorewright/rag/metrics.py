"""The proxy's counts in Prometheus' text form, version 0.0.4."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from lorewright.rag.latency import BOUNDS, Latency
from lorewright.rag.proxy import Proxy

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(proxy: Proxy) -> str:
    history, places = proxy.history, proxy.places
    outcomes = [(f'path="{path}",status="{status}"', count) for (path, status), count in sorted(history.outcomes.items())]
    chunks = proxy.index.count if proxy.index else 0
    lines = [
        *_metric("requests_total", "counter", "Requests that have ended; status 499: the client hung up.", outcomes),
        *_metric("refused_total", "counter", "Requests that got no turn.", [("", places.refused)]),
        *_metric("active", "gauge", "Requests being worked on.", [("", places.active)]),
        *_metric("waiting", "gauge", "Requests waiting for a turn.", [("", places.waiting)]),
        *_metric("passages_injected_total", "counter", "Passages put before the model.", [("", history.injected)]),
        *_metric("passages_dropped_total", "counter", "Passages found and not used.", [("", history.dropped)]),
        *_metric("chunks_available", "gauge", "Passages in the lore index.", [("", chunks)]),
        *_metric("resident_memory_bytes", "gauge", "Memory of the proxy.", [("", resident_bytes())]),
        *_histogram("retrieval_seconds", "Embedding the query and searching.", history.retrieval),
        *_histogram("first_byte_seconds", "Until the answer began.", history.first_byte),
        *_histogram("request_seconds", "Until the answer was complete, of those answered with 200.", history.whole),
    ]
    return "\n".join(lines) + "\n"


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _metric(name: str, kind: str, what: str, samples: Iterable[tuple[str, int]]) -> Iterator[str]:
    yield f"# HELP lorewright_{name} {what}"
    yield f"# TYPE lorewright_{name} {kind}"
    for labels, value in samples:
        yield f"lorewright_{name}{{{labels}}} {value}" if labels else f"lorewright_{name} {value}"


def _histogram(name: str, what: str, latency: Latency) -> Iterator[str]:
    yield f"# HELP lorewright_{name} {what}"
    yield f"# TYPE lorewright_{name} histogram"
    below = 0
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), latency.counts, strict=True):
        below += count
        yield f'lorewright_{name}_bucket{{le="{bound}"}} {below}'
    yield f"lorewright_{name}_sum {latency.total:.6f}"
    yield f"lorewright_{name}_count {below}"
