"""What the proxy says of itself."""

from __future__ import annotations

import re

import httpx
import pytest

from lorewright.rag.latency import Latency, percentile
from lorewright.rag.store import Index

from .fakes import WordEmbedder, running_proxy
from .test_upstream import CHAT, REQUEST
from .upstream_server import Reply, UpstreamServer


@pytest.mark.req("F8")
def test_health_is_alive_and_ready_asks_the_model_server(upstream: UpstreamServer, proxy: httpx.Client) -> None:
    assert proxy.get("/ready").json() == {"ready": True, "model_server": "ok", "index": "ok"}
    upstream.replies["/v1/models"] = Reply(status=503, length=True)
    answer = proxy.get("/ready")
    said = f"the model server at {upstream.address} answers 503"
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "model_server": said, "index": "ok"})
    assert proxy.get("/health").json() == {"status": "ok"}


def test_a_model_server_that_is_down_or_hangs_is_not_ready(upstream: UpstreamServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lorewright.rag.upstream.LOOKING", 0.05)
    upstream.replies["/v1/models"] = Reply(before=True)
    with running_proxy(upstream.address) as port:
        assert "does not answer" in httpx.get(f"http://127.0.0.1:{port}/ready").json()["model_server"]
    with running_proxy("http://127.0.0.1:1") as port:
        ready = httpx.get(f"http://127.0.0.1:{port}/ready")
    assert (ready.status_code, ready.json()["index"]) == (503, "none")
    assert "cannot be reached" in ready.json()["model_server"]


def test_an_index_that_fails_is_not_ready(upstream: UpstreamServer, index: Index) -> None:
    calls: list[int] = []

    def gate() -> None:
        calls.append(1)
        if len(calls) > 1:
            raise RuntimeError

    with running_proxy(upstream.address, index, WordEmbedder(gate)) as port:
        ready = httpx.get(f"http://127.0.0.1:{port}/ready")
        assert (ready.status_code, ready.json()["index"]) == (503, "the lore index cannot be searched: RuntimeError")


SAMPLE = re.compile(r'lorewright_[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.]+')


@pytest.mark.req("F8")
def test_metrics_are_what_prometheus_reads(upstream: UpstreamServer, index: Index) -> None:
    with running_proxy(upstream.address, index) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as proxy:
        for _ in range(3):
            proxy.post(CHAT, json=REQUEST)
        upstream.replies[CHAT] = Reply(status=400, length=True)
        proxy.post(CHAT, json=REQUEST | {"lore": "off"})
        answer = proxy.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text.endswith("\n")
    lines = answer.text.splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    assert all(SAMPLE.fullmatch(line) for line in samples)
    names = {re.split(r"[{ ]", line)[0] for line in samples}
    declared = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in names} == declared
    values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in samples}
    assert values['lorewright_requests_total{path="/v1/chat/completions",status="200"}'] == 3
    assert values['lorewright_requests_total{path="/v1/chat/completions",status="400"}'] == 1
    assert values["lorewright_passages_injected_total"] == 9
    assert values["lorewright_chunks_available"] == 3
    assert values["lorewright_retrieval_seconds_count"] == values['lorewright_retrieval_seconds_bucket{le="+Inf"}'] == 3
    assert values["lorewright_request_seconds_count"] == 3
    assert values["lorewright_resident_memory_bytes"] > 1e7


def test_percentiles_are_of_the_nearest_rank() -> None:
    ordered = [float(number) for number in range(1, 101)]
    assert [percentile(ordered, percent) for percent in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([7.0], 50) == percentile([7.0], 99) == 7
    assert percentile([], 50) is None


def test_only_the_last_thousand_count_for_percentiles() -> None:
    latency = Latency()
    for seconds in [9.0] * 500 + [0.002] * 1000:
        latency.add(seconds)
    assert latency.shown() == {"count": 1000, "p50": 2.0, "p95": 2.0, "p99": 2.0}
    assert (sum(latency.counts), latency.counts[0]) == (1500, 1000)
    assert latency.total == pytest.approx(4502)
