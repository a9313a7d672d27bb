"""lorewright reproduce RUN"""

from __future__ import annotations

import argparse

from lorewright.cli.arguments import add_runs
from lorewright.cli.diff import RUN
from lorewright.history.naming import find_run
from lorewright.history.verdict import TOLERANCE
from lorewright.progress import Console, shown


def configure(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("run", metavar="RUN", help=RUN)
    verb.add_argument(
        "--tolerance", metavar="SHARE", type=_share, default=TOLERANCE,
        help="by how much a loss may be another one, where the weights are not the same (default: %(default)s)",
    )  # fmt: skip
    verb.add_argument("--json", action="store_true", help="the verdict as JSON")
    add_runs(verb)


def main(given: argparse.Namespace) -> int:
    """0 when the run was reproduced, 1 when not."""
    from lorewright.history.reproduce import reproduce

    kept = find_run(given.run, given.runs.absolute())
    done = reproduce(kept, given.tolerance, Console())
    if given.json:
        print(done.file.read_text(encoding="utf-8"), end="")
        return 0 if done.good else 1
    print(f"\n{kept.title}")
    for check in done.checks:
        print(f"  {check.stage:<8} {check.said}")
    also = f"; not with the same versions: {'; '.join(done.versions)}" if done.versions else ""
    print(f"{done.said}{also}\n\nverdict   {shown(done.file)}\nmore      ./lorewright diff {kept.run} {shown(done.new.file)}")
    return 0 if done.good else 1


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return value
