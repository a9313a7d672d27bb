"""Has charts cast by the worker, each kept as it comes, and as many as are wanted that differ as text."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorewright import process
from lorewright.data.charts.births import Birth
from lorewright.data.charts.text import chart_text
from lorewright.data.formats.rows import BadRow
from lorewright.envs import Environment
from lorewright.manifest import write_whole
from lorewright.progress import Bar

WORKER = Path(__file__).resolve().parents[2] / "workers" / "charts.py"
BIRTHS, CHARTS = "births.jsonl", "charts.jsonl"
ROUNDS = 20


@dataclass(frozen=True)
class Chart:
    """A birth and its chart as text."""

    birth: Birth
    text: str


@dataclass(frozen=True)
class Caster:
    """Where and how charts are cast. folder: keeps every chart that was cast, so that a run goes on where it stopped."""

    environment: Environment
    folder: Path
    log: Path

    def __call__(self, births: list[Birth], on_line: Callable[[str], None]) -> dict[str, dict[str, Any]]:
        """The worker's line for each birth's key: chart, or error. Raises LorewrightError when the worker fails."""
        write_whole(self.folder / BIRTHS, "".join(json.dumps(birth.line()) + "\n" for birth in births))
        command = [self.environment.python, str(WORKER), BIRTHS, CHARTS]
        variables = process.tool_environment(self.environment)
        process.run(command, environment=variables, log=self.log, folder=self.folder, on_line=on_line)
        with open(self.folder / CHARTS, encoding="utf-8", errors="replace") as lines:
            found = [line for line in map(_read, lines) if line]
        return {line["key"]: line for line in found}


def _read(line: str) -> dict[str, Any]:
    """A line's values; none for one that a power cut has left as something else, whose birth was cast again."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) and "key" in value else {}


def cast(births: Iterable[Birth], count: int, caster: Caster, bar: Bar) -> tuple[list[Chart], list[BadRow]]:
    """At most `count` charts, no two alike as text, in the order of the births; and the births that gave none."""
    charts: dict[str, Chart] = {}
    bad: list[BadRow] = []
    source = iter(births)
    for _ in range(ROUNDS):
        some = list(itertools.islice(source, count - len(charts)))
        if not some:
            break
        made = caster(some, _counter(bar, len(charts), count))
        for birth in some:
            line = made[birth.key]
            if "error" in line:
                bad.append(BadRow(birth.key, line["error"]))
            else:
                text = chart_text(line["chart"], birth)
                charts.setdefault(text, Chart(birth, text))
    return list(charts.values()), bad


def _counter(bar: Bar, before: int, count: int) -> Callable[[str], None]:
    def on_line(line: str) -> None:
        if line.startswith("cast "):
            done = before + int(line.removeprefix("cast ").partition("/")[0])
            bar(done, count, f"{done}/{count} charts")

    return on_line
