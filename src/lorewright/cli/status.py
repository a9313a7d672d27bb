"""lorewright status [RECIPE]"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lorewright import services
from lorewright.cli.arguments import add_recipe
from lorewright.locks import is_locked
from lorewright.manifest import latest_manifest
from lorewright.plan import Paths
from lorewright.process import owner_alive
from lorewright.progress import shown
from lorewright.recipe import load
from lorewright.smoke.shrink import smoke_name


def configure(verb: argparse.ArgumentParser) -> None:
    add_recipe(verb, optional=True)


def main(given: argparse.Namespace) -> int:
    runs: Path = given.runs
    names = _names(given, runs)
    if not names:
        print(f"nothing has been run yet in {shown(runs)}; start with ./quickstart.sh")
    for name in names:
        paths = Paths(runs, name)
        record = latest_manifest(paths.manifests)
        if not record:
            print(f"{name}: not run yet")
            continue
        if record["status"] == "running" and not is_locked(paths):
            record["status"] = "was cut off; the same command goes on"
        _show_run(name, record)
    for record_file in sorted((runs / "services").glob("*.json")):
        for line in _service_lines(record_file):
            print(line)
    return 0


def _names(given: argparse.Namespace, runs: Path) -> list[str]:
    """Every recipe that was run; or the one that is asked for, and its smoke run where there is one."""
    if not given.recipe:
        return sorted(folder.parent.name for folder in runs.glob("*/manifests"))
    name = load(given.recipe, tuple(given.set)).name
    return [name, *(small for small in [smoke_name(name)] if Paths(runs, small).manifests.is_dir())]


def _service_lines(record: Path) -> Iterator[str]:
    """A service that runs, and one that has crashed and left processes behind."""
    facts = services.running(record)
    if facts:
        unowned = "" if not facts.get("owner") or owner_alive(facts) else "; the run that started it was killed, ./lorewright stop ends it"
        yield f"running   {facts['name']} of {facts['recipe']} on http://{facts['host']}:{facts['port']} (pid {facts['pid']}){unowned}"
        return
    facts, pids = services.leftover(record)
    if pids:
        yield f"left over {services.left_said(facts, pids)}; ./lorewright stop ends it"


def _show_run(name: str, record: dict[str, Any]) -> None:
    ended = f", ended {record['ended']}" if "ended" in record else ""
    print(f"{name}: {record['status']}, started {record['started']}{ended}")
    for step in record["plan"]:
        facts = record["steps"].get(step, {})
        took = f"{facts['seconds']:.1f} s" if "seconds" in facts else ""
        action = facts.get("action", "not reached")
        action = record["status"].split()[0] if action == "running" and record["status"] != "running" else action
        print(f"  {step:<8} {action:<14} {took:>9}  {facts.get('facts', {}).get('said', '')}".rstrip())
    if "error" in record:
        print(f"  {record['error']}")
