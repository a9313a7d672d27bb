"""lorewright diff RUN [RUN]"""

from __future__ import annotations

import argparse
import json

from lorewright.cli.arguments import add_runs
from lorewright.history.diff import as_json, difference
from lorewright.history.naming import before, find_run
from lorewright.history.said import lines

RUN = "a recipe's name or file for its newest run (starter~1: the one before), a run's name or its beginning, a folder of results"


def configure(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("old", metavar="RUN", help=RUN)
    verb.add_argument("new", metavar="RUN", nargs="?", help="the other; left out, the first is compared with the run before it")
    verb.add_argument("--json", action="store_true", help="everything, as JSON")
    add_runs(verb)


def main(given: argparse.Namespace) -> int:
    runs = given.runs.absolute()
    new = find_run(given.new or given.old, runs)
    old = find_run(given.old, runs) if given.new else before(new)
    found, notes = difference(old, new)
    if given.json:
        print(json.dumps(as_json(old, new, found, notes), indent=1, ensure_ascii=False))
    else:
        print("\n".join(lines((old.title, new.title), found, notes)))
    return 0
