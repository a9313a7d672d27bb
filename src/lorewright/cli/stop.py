"""lorewright stop [serve|rag|all]"""

from __future__ import annotations

import argparse

from lorewright.cli.arguments import add_runs
from lorewright.serving.gpu import stop_and_release

# what the servers are called elsewhere
ALIASES = {"vllm": "serve", "proxy": "rag"}


def configure(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("service", nargs="?", choices=["serve", "vllm", "rag", "proxy", "all"], default="all", help="which (default: all)")
    verb.add_argument("--port", type=int, help="only the one on this port")
    add_runs(verb)


def main(given: argparse.Namespace) -> int:
    """Stopping what does not run is no mistake. The proxy goes first, so that it does not see vLLM vanish."""
    wanted = ALIASES.get(given.service, given.service)
    stopped = 0
    for record in sorted((given.runs / "services").glob("*.json")):
        name, _, port = record.stem.rpartition("-")
        if wanted in ("all", name) and given.port in (None, int(port)) and stop_and_release(record):
            stopped += 1
            print(f"stopped {name} on port {port}")
    if not stopped:
        print("nothing was running")
    return 0
