"""lorewright monitor serve|rag: what a service is doing, refreshed until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from lorewright.cli.arguments import add_runs
from lorewright.cli.stop import ALIASES
from lorewright.errors import LorewrightError, unreachable
from lorewright.services import fetch
from lorewright.serving.metrics import Snapshot, figures, snapshot

ONCE_APART = 0.5  # seconds between the two looks that a single view's speed is taken from
SHOWN_QUERIES = 10
PROXY_LATENCIES = {"retrieval": "retrieval", "first byte": "first_byte", "answer": "total"}
LATENCIES = {"first_token": "first token", "between_tokens": "between tokens", "whole_request": "whole request", "queue": "in the queue"}


def configure(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("service", choices=["serve", "vllm", "rag", "proxy"], help="serve: vLLM; rag: the proxy")
    verb.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    verb.add_argument("--port", type=int, help="default: 8000 for serve, 8001 for rag")
    verb.add_argument("--once", action="store_true", help="print once and end")
    verb.add_argument("--json", action="store_true", help="one JSON object a line")
    verb.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="default: %(default)s")
    add_runs(verb)


def main(given: argparse.Namespace) -> int:
    vllm = ALIASES.get(given.service, given.service) == "serve"
    url = f"http://{given.host}:{given.port or (8000 if vllm else 8001)}"
    look: Callable[[], dict[str, Any]] = Vllm(url).look if vllm else lambda: _get_json(f"{url}/stats")
    lines = vllm_lines if vllm else rag_lines
    if given.once:
        if vllm:
            look()
            time.sleep(ONCE_APART)
        found = look()
        print(json.dumps(found) if given.json else "\n".join(lines(found)), flush=True)
        return 0
    with contextlib.suppress(KeyboardInterrupt), _screen(given.json) as show:  # Ctrl-C is how a watcher leaves
        while True:
            try:
                found = look()
                show(json.dumps(found) if given.json else "\n".join([url, "", *lines(found)]))
            except LorewrightError as problem:
                if given.json or not sys.stdout.isatty():
                    raise
                show(f"{problem}\nwaiting; Ctrl-C ends this")  # a restart is watched through
            time.sleep(given.every)
    return 0


@contextlib.contextmanager
def _screen(plain: bool) -> Iterator[Callable[[str], None]]:
    """Where a view is put: in place on a terminal, else below the last one."""
    if plain or not sys.stdout.isatty():
        yield lambda text: print(text, flush=True)
        return
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False, screen=True) as live:
        yield lambda text: live.update(Text(text), refresh=True)


class Vllm:
    """Looks at vLLM again and again; each look but the first knows the one before."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.before: Snapshot | None = None

    def look(self) -> dict[str, Any]:
        now = snapshot(_get(f"{self.url}/metrics"), time.monotonic())
        found = figures(now, self.before)
        self.before = now
        return found


def _get(url: str) -> str:
    text = fetch(url)
    if text is None:
        raise unreachable(url)
    return text


def _get_json(url: str) -> dict[str, Any]:
    try:
        return dict(json.loads(_get(url)))
    except ValueError:
        raise LorewrightError("what answers there is not the RAG proxy", where=url) from None


def vllm_lines(now: dict[str, Any]) -> list[str]:
    """vLLM's figures as lines of the view."""
    speed, read = now["tokens_per_second"], now["prompt_tokens_per_second"]
    hits, share = now["prefix_cache_hit_rate"], now["kv_cache_share"]
    set_back = f", {now['preemptions']:.0f} requests set back for room" if now["preemptions"] else ""
    kept = "nothing asked yet" if hits is None else f"{_meter(hits)} {hits:.0%} of the prompt tokens were still in the cache"
    lines = [
        f"requests   {now['running']:.0f} running, {now['waiting']:.0f} waiting, {now['finished']:,.0f} finished",
        f"speed      {_number(speed)} tokens/s written, {_number(read)} tokens/s read",
        f"tokens     {now['generated_tokens']:,.0f} written, {now['prompt_tokens']:,.0f} read",
        f"KV cache   {_meter(share)} {share:.1%} in use{set_back}",
        f"prefixes   {kept}",
    ]
    if now["accepted_share"] is not None:
        lines.append(f"guessing   {now['accepted_share']:.0%} of the guessed tokens were right")
    if now["voices"]:
        lines.append(f"voices     {', '.join(now['voices'])}")
    return lines + _latency_lines(now["latency_seconds"])


def _latency_lines(found: dict[str, dict[str, Any]]) -> list[str]:
    rows = [(said, found[name]) for name, said in LATENCIES.items() if found.get(name, {}).get("count")]
    if not rows:
        return []
    head = ["", f"{'latency':<16} {'p50':>9} {'p95':>9} {'p99':>9}   of"]
    return head + [
        f"{said:<16} {_seconds(row['p50']):>9} {_seconds(row['p95']):>9} {_seconds(row['p99']):>9}   "
        f"{row['count']:,.0f} {'just now' if row['recent'] else 'since the start'}"
        for said, row in rows
    ]


def rag_lines(stats: dict[str, Any]) -> list[str]:
    """The proxy's counters and its query history, newest first."""
    queries = stats["recent_queries"]
    lines = [f"queries    {stats['total_queries']} answered, {stats['chunks_available']} lore passages available"]
    for name, key in PROXY_LATENCIES.items():
        row = stats["latency_ms"][key]
        if row["count"]:
            shares = ", ".join(f"{share} {row[share]:.0f} ms" for share in ("p50", "p95", "p99"))
            lines.append(f"{name:<10} {shares} over the last {row['count']:,}")
    failed = sum(1 for query in queries if (query["status"] or 200) >= 400)
    lines += ([f"failed     {failed} of the last {len(queries)}"] if failed else []) + [""]
    for query in queries[:SHOWN_QUERIES]:
        took = f"{query['total_ms']:7.0f} ms" if query["total_ms"] is not None else "   running"
        lines.append(f"{query['time'][11:19]}  {took}  {query['status'] or '...'}  {query['question'][:70]}")
        lines += [f"             {passage['distance']:.3f}  {passage['source']}{_heading(passage)}" for passage in query["passages"][:3]]
    return lines


def _heading(passage: dict[str, Any]) -> str:
    return f" · {passage['heading']}" if passage.get("heading") else ""


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def _meter(share: float, width: int = 20) -> str:
    full = round(min(max(share, 0.0), 1.0) * width)
    return "█" * full + "░" * (width - full)
