"""lorewright monitor serve|rag: what a service is doing, refreshed until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from typing import Any

from lorewright.cli.arguments import add_runs
from lorewright.cli.stop import ALIASES
from lorewright.errors import unreachable
from lorewright.services import fetch

GAUGES = {
    "vllm:num_requests_running": "running",
    "vllm:num_requests_waiting": "waiting",
    "vllm:kv_cache_usage_perc": "kv_cache_share",
    "vllm:prompt_tokens_total": "prompt_tokens",
    "vllm:generation_tokens_total": "generated_tokens",
    "vllm:prefix_cache_queries_total": "prefix_cache_queries",
    "vllm:prefix_cache_hits_total": "prefix_cache_hits",
}


def configure(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("service", choices=["serve", "vllm", "rag", "proxy"], help="serve: vLLM; rag: the proxy")
    verb.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    verb.add_argument("--port", type=int, help="default: 8000 for serve, 8001 for rag")
    verb.add_argument("--once", action="store_true", help="print once and end")
    verb.add_argument("--json", action="store_true", help="one JSON object a line")
    verb.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="default: %(default)s")
    add_runs(verb)


def main(given: argparse.Namespace) -> int:
    given.service = ALIASES.get(given.service, given.service)
    port = given.port or (8000 if given.service == "serve" else 8001)
    url = f"http://{given.host}:{port}"
    before: dict[str, Any] = {}
    while True:
        now = _vllm(url) if given.service == "serve" else _get_json(f"{url}/stats")
        if given.json:
            print(json.dumps(now), flush=True)
        else:
            if sys.stdout.isatty() and not given.once:
                sys.stdout.write("\x1b[2J\x1b[H")
            print(*(_vllm_lines(now, before, given.every) if given.service == "serve" else rag_lines(now)), sep="\n", flush=True)
        if given.once:
            return 0
        before = now
        time.sleep(given.every)


def _get(url: str) -> str:
    text = fetch(url)
    if text is None:
        raise unreachable(url)
    return text


def _get_json(url: str) -> dict[str, Any]:
    return dict(json.loads(_get(url)))


def _vllm(url: str) -> dict[str, Any]:
    """Sums each metric over its labels."""
    text = _get(f"{url}/metrics")
    found: dict[str, Any] = dict.fromkeys(GAUGES.values(), 0.0)
    for metric, value in re.findall(r"^(vllm:\w+)\{[^}]*\} ([0-9.eE+-]+)$", text, flags=re.MULTILINE):
        if metric in GAUGES:
            found[GAUGES[metric]] += float(value)
    return found


def _vllm_lines(now: dict[str, Any], before: dict[str, Any], seconds: float) -> list[str]:
    rate = (now["generated_tokens"] - before["generated_tokens"]) / seconds if before else 0.0
    hits = now["prefix_cache_hits"] / now["prefix_cache_queries"] if now["prefix_cache_queries"] else 0.0
    return [
        f"requests   {now['running']:.0f} running, {now['waiting']:.0f} waiting",
        f"tokens     {rate:.1f}/s now, {now['generated_tokens']:,.0f} written, {now['prompt_tokens']:,.0f} read",
        f"memory     {now['kv_cache_share']:.1%} of the KV cache in use, {hits:.0%} prefix-cache hits",
    ]


def rag_lines(stats: dict[str, Any]) -> list[str]:
    """The proxy's counters and its query history, newest first."""
    lines = [f"queries    {stats['total_queries']} answered, {stats['chunks_available']} lore passages available", ""]
    for query in stats["recent_queries"][:10]:
        lines.append(f"{query['time'][11:19]}  {query['total_ms'] or 0:7.0f} ms  {query['status']}  {query['question'][:70]}")
        lines += [f"             {passage['distance']:.3f}  {passage['source']}" for passage in query["passages"][:3]]
    return lines
