"""lorewright envs [list | build NAME… | path NAME… | add EXTRA… | remove EXTRA…]"""

from __future__ import annotations

import argparse

from lorewright import envs, extras


def configure(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "action", nargs="?", choices=["list", "build", "path", "add", "remove"], default="list", help="what to do (default: list)"
    )
    verb.add_argument(
        "names", nargs="*", metavar="NAME",
        help=f"of {', '.join(envs.FILES)}; to add or remove: {', '.join(extras.NAMES)}, which stand beside the train environment",
    )  # fmt: skip


def main(given: argparse.Namespace) -> int:
    if given.action == "list":
        _list()
    for name in given.names:
        print(_done(given.action, name))
    return 0


def _list() -> None:
    print(f"accelerator {envs.accelerator()}, kept in {envs.cache_root() / 'envs'}")
    for name, key, ready, _ in envs.report():
        print(f"  {name:<7} {key}  {'ready' if ready else 'not built yet; built when a stage needs it'}")
        for extra in extras.added().values() if name == "train" else ():
            print(f"          + {extra.name} {extra.version}, {extra.how}")


def _done(action: str, name: str) -> str:
    """Does one thing and says it: a folder for what a script may want, words otherwise."""
    if action == "add":
        extra = extras.add(name)
        return f"{extra.name} {extra.version} stands beside the train environment, {extra.how}"
    if action == "remove":
        return f"{name} was taken away" if extras.remove(name) else f"{name} was not there"
    return str(envs.ensure(name).path if action == "build" else envs.locate(name).path)
