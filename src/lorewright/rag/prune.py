"""Takes away what nobody needs of a lore collection: every ingest leaves a whole index, and an interrupted one its beginnings."""

from __future__ import annotations

import shutil
from pathlib import Path

from lorewright.locks import unheld
from lorewright.manifest import RECORD, read_json
from lorewright.plan import Paths

KEPT = 2  # newest indexes that stay whether or not anybody uses them
OWNER = "owner.json"  # in a folder that is worked in: whose it is
REMOVED = ".removed"
PARTIAL = ".partial"


def prune(paths: Paths, collection: Path) -> int:
    """Removes the collection's old indexes, and what this recipe's interrupted ingests left. How many indexes were removed.

    An index stays that is among the newest, that a recipe's `latest` means, or that any process has open. Called by the holder of
    the collection's lock, so that nobody makes an index meanwhile. What cannot be removed is tried again the next time.
    """
    for rest in (*collection.glob(f"*{REMOVED}"), *filter(lambda partial: _over(partial, paths), collection.glob(f"*{PARTIAL}"))):
        shutil.rmtree(rest, ignore_errors=True)
    for journal in collection.glob("*.vectors"):
        if not (paths.root / journal.name.partition(".")[0]).is_dir():  # its recipe is gone
            journal.unlink(missing_ok=True)
    made = [folder for folder in collection.iterdir() if (folder / RECORD).is_file() and folder.suffix not in (PARTIAL, REMOVED)]
    made.sort(key=lambda folder: (folder / RECORD).stat().st_mtime_ns, reverse=True)
    return sum(_removed(folder, paths.root) for folder in made[KEPT:])


def _over(partial: Path, paths: Paths) -> bool:
    """Whether an interrupted ingest cannot go on: its recipe has made an index since, is gone, or had not begun."""
    owner = (read_json(partial / OWNER) or {}).get("recipe", "")
    return owner in ("", paths.recipe) or not (paths.root / owner).is_dir()


def _removed(folder: Path, root: Path) -> bool:
    """Takes an index out of sight, then away, unless a recipe means it or somebody has it open."""
    gone = folder.with_name(folder.name + REMOVED)
    with unheld(folder / "index") as free:
        if not free or folder.resolve() in {link.resolve() for link in root.glob("*/latest/ingest")}:
            return False
        try:
            folder.rename(gone)
        except OSError:  # another user's, or a file system that does not let go
            return False
        shutil.rmtree(gone, ignore_errors=True)
    return True
