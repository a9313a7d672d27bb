"""lorewright convert INPUT OUTPUT: a checkpoint in bitsandbytes NF4."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from lorewright.progress import Console, shown


def configure(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("input", metavar="INPUT", help="a model's folder, or the name of one that the hub's cache holds; bf16, fp16 or MXFP4")
    verb.add_argument("output", metavar="OUTPUT", type=Path, help="the folder to be made; the same command again goes on where one stopped")
    verb.add_argument("--experts-only", action="store_true", help="leave linear layers as they are; only the experts become NF4")
    verb.add_argument("--overwrite", action="store_true", help="replace OUTPUT, once the new one is whole")


def main(given: argparse.Namespace) -> int:
    from lorewright.models.nf4.folder import convert, said

    console, begun, output = Console(), time.monotonic(), given.output.absolute()
    with console.bar("convert") as bar:
        done = convert(_folder(given.input), output, bar, experts_only=given.experts_only, overwrite=given.overwrite)
    seconds = time.monotonic() - begun
    console.stage("convert", said(done, seconds), seconds)
    print(shown(output))
    return 0


def _folder(name: str) -> Path:
    from lorewright.errors import LorewrightError
    from lorewright.models.hub import snapshot

    if Path(name).is_dir():
        return Path(name)
    found = snapshot(name)
    if not found:
        raise LorewrightError("is no folder, and no model that is on this machine", where=name, remedy=f"hf download {name}")
    return Path(found)
