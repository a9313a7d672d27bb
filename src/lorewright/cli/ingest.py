"""lorewright ingest RECIPE [--watch]: the lore's index, once or again after every change."""

from __future__ import annotations

import argparse
import sys
from time import sleep

from lorewright.cli import stage
from lorewright.cli.arguments import recipe_of
from lorewright.errors import BusyError, LorewrightError

PAUSE = 1.0  # seconds between two tries while another run has the recipe


def configure(verb: argparse.ArgumentParser) -> None:
    stage.configure(verb)
    verb.add_argument("--watch", action="store_true", help="stay, and index again whenever a lore file has changed; Ctrl-C ends it")


def main(given: argparse.Namespace) -> int:
    return _watch(given) if given.watch else stage.main(given)


def _watch(given: argparse.Namespace) -> int:
    from lorewright.rag.watch import changes

    rag = recipe_of(given).rag
    if not rag:
        raise LorewrightError("the recipe has no lore", where=given.recipe, remedy="add a rag: section with its sources")
    print("watching the lore; Ctrl-C ends it", file=sys.stderr)
    for _ in changes(rag.sources):
        try:
            _when_free(given)
        except LorewrightError as problem:  # a file half written, a source being moved: the next change may mend it
            print(problem, file=sys.stderr)
        given.force = False
    return 0


def _when_free(given: argparse.Namespace) -> None:
    """Waits for another run of the recipe: a change that was saved meanwhile is not forgotten."""
    said = False
    while True:
        try:
            stage.main(given)
            return
        except BusyError as problem:
            if not said:
                print(f"{problem.what}: this waits until it has ended", file=sys.stderr)
            said = True
            sleep(PAUSE)
