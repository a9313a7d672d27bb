"""lorewright extract RECIPE"""

from __future__ import annotations

import argparse

from lorewright.cli import stage


def configure(verb: argparse.ArgumentParser) -> None:
    stage.configure(verb)
    verb.add_argument(
        "--no-resume", dest="force", action="store_true", help="read every document again, also those that an earlier run has finished"
    )
    verb.add_argument("--device", choices=("auto", "cpu", "cuda"), help="where a layout-aware engine computes (data.extract.device)")
    verb.add_argument("--min-length", metavar="N", type=int, help="leave out documents of fewer characters (data.extract.min_length)")


def main(given: argparse.Namespace) -> int:
    for key in ("device", "min_length"):
        value = getattr(given, key)
        if value is not None:
            given.set.append(f"data.extract.{key}={value}")
    return stage.main(given)
