"""lorewright envs [list | build NAME… | path NAME]"""

from __future__ import annotations

import argparse

from lorewright import envs


def configure(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("action", nargs="?", choices=["list", "build", "path"], default="list", help="what to do (default: list)")
    verb.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(envs.FILES)}")


def main(given: argparse.Namespace) -> int:
    if given.action == "list":
        print(f"accelerator {envs.accelerator()}, kept in {envs.cache_root() / 'envs'}")
        for name, key, ready, _ in envs.report():
            print(f"  {name:<7} {key}  {'ready' if ready else 'not built yet; built when a stage needs it'}")
    for name in given.names:
        print(envs.ensure(name).path if given.action == "build" else envs.locate(name).path)
    return 0
