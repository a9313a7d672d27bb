"""lorewright adapter list | load NAME FOLDER | unload NAME: the voices that a running vLLM holds beside its base model."""

from __future__ import annotations

import argparse
from pathlib import Path

from lorewright.errors import LorewrightError
from lorewright.serving import adapters


def configure(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("action", choices=["list", "load", "unload"], help="what to do")
    verb.add_argument("name", nargs="?", metavar="NAME", help="the name a voice is asked for by")
    verb.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="an adapter, for example runs/my-voice/latest/train/adapter")
    verb.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    verb.add_argument("--port", type=int, default=8000, help="default: %(default)s")


def main(given: argparse.Namespace) -> int:
    url = f"http://{given.host}:{given.port}"
    if (given.action != "list" and not given.name) or (given.action == "load" and not given.folder):
        wanted = "NAME FOLDER" if given.action == "load" else "NAME"
        raise LorewrightError(f"{given.action} wants {wanted}", remedy="./lorewright adapter --help")
    if given.action == "load":
        adapters.load(url, given.name, given.folder.absolute())
    elif given.action == "unload":
        adapters.unload(url, given.name)
    print(*adapters.listed(url), sep="\n")
    return 0
