"""`python -m lorewright.rag --config FILE`: the proxy as a process of its own. FILE: see settings.py."""

from __future__ import annotations

import argparse
import gc
import logging
import sys
from pathlib import Path

from lorewright.errors import LorewrightError


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m lorewright.rag", description="Serves the lore proxy.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the proxy's settings, JSON")
    config = parser.parse_args(arguments).config
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    try:
        serve(config)
    except LorewrightError as error:
        print(*error.tail, f"lorewright: {error}", sep="\n", file=sys.stderr)
        return 1
    return 0


def serve(config: Path) -> None:
    """Runs until stopped. Index and embedder are loaded before the port opens, so a port that answers is ready."""
    from lorewright.rag.keys import api_keys, require_key
    from lorewright.rag.settings import read_settings

    settings = read_settings(config)
    require_key(settings.host, api_keys())

    import uvicorn

    from lorewright.rag.app import create_app

    app = create_app(settings)
    # What is loaded stays: without this, each full collection would walk a million objects while every stream waits.
    gc.collect()
    gc.freeze()
    # A client may use its connection again just as it is closed, and fails then: so we are not the first to close it.
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
