"""Takes away what nobody needs of a lore collection: every ingest leaves a whole index, and an interrupted one its beginnings."""

from __future__ import annotations

import shutil
from pathlib import Path

from lorewright.locks import unheld
from lorewright.manifest import RECORD, read_json
from lorewright.plan import Paths
from lorewright.process import leader_alive

KEPT = 2  # newest indexes that stay whether or not anybody uses them
OWNER = "owner.json"  # in a folder that is worked in: whose it is
REMOVED = ".removed"
PARTIAL = ".partial"


def prune(paths: Paths, collection: Path) -> int:
    """Removes the collection's old indexes, and what this recipe's interrupted ingests left. How many indexes were removed.

    An index stays that is among the newest, that a recipe's `latest` means, that a running proxy was started with, or that any
    process has open. Called by the holder of the collection's lock, so that nobody makes an index meanwhile.
    """
    for rest in (*collection.glob(f"*{REMOVED}"), *filter(lambda partial: _over(partial, paths), collection.glob(f"*{PARTIAL}"))):
        shutil.rmtree(rest)
    made = [folder for folder in collection.iterdir() if (folder / RECORD).is_file() and folder.suffix not in (PARTIAL, REMOVED)]
    made.sort(key=lambda folder: (folder / RECORD).stat().st_mtime_ns, reverse=True)
    needed = _meant(paths.root) | _started_with(paths.services)
    return sum(_removed(folder) for folder in made[KEPT:] if folder.resolve() not in needed)


def _over(partial: Path, paths: Paths) -> bool:
    """Whether an interrupted ingest cannot go on: its recipe has made an index since, is gone, or had not begun."""
    owner = (read_json(partial / OWNER) or {}).get("recipe", "")
    return owner in ("", paths.recipe) or not (paths.root / owner).is_dir()


def _meant(root: Path) -> set[Path]:
    return {link.resolve() for link in root.glob("*/latest/ingest")}


def _started_with(services: Path) -> set[Path]:
    """The folders of the indexes that living proxies name in their settings, open or not yet."""
    found = set[Path]()
    for record in services.glob("rag-*.json"):
        facts = read_json(record)
        if facts and leader_alive(facts):
            settings = read_json(Path(facts["command"][-1]))
            found |= {Path(settings["index"]).resolve().parent} if settings and settings["index"] else set()
    return found


def _removed(folder: Path) -> bool:
    """Takes an index out of sight, then away, unless somebody has it open."""
    with unheld(folder / "index") as free:
        if free:
            gone = folder.with_name(folder.name + REMOVED)
            folder.rename(gone)
            shutil.rmtree(gone)
    return free
