"""Casts birth charts with py-iztro, in the charts environment: python charts.py BIRTHS.jsonl CHARTS.jsonl

A line of BIRTHS: key, date (YYYY-M-D), hour (0 to 12: the double hours, 12 being the late hour of the Rat), gender (male,
female), language (zh, en). A line of CHARTS: key, and chart or error. Births whose key stands in CHARTS are not cast again,
and a line that was broken off is taken away first, so that a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

LANGUAGES = {"zh": "zh-CN", "en": "en-US"}
GENDERS = {"male": "男", "female": "女"}


def main(births: str, charts: str) -> None:
    wanted = [json.loads(line) for line in Path(births).read_text(encoding="utf-8").splitlines()]
    done = _done(Path(charts))
    todo = [birth for birth in wanted if birth["key"] not in done]
    if not todo:
        return
    from py_iztro import Astro

    astro = Astro()
    with open(charts, "a", encoding="utf-8") as out:
        for number, birth in enumerate(todo, 1):
            out.write(json.dumps({"key": birth["key"], **_cast(astro, birth)}, ensure_ascii=False) + "\n")
            out.flush()
            print(f"cast {number}/{len(todo)}", flush=True)
        os.fsync(out.fileno())


def _done(charts: Path) -> set[str]:
    """Keys of the readable lines; what was broken off is cut away."""
    if not charts.exists():
        return set()
    raw = charts.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    if len(whole) < len(raw):
        os.truncate(charts, len(whole))
    return {line["key"] for line in map(_read, whole.splitlines()) if line}


def _read(line: bytes) -> dict[str, Any]:
    """A line's values; none for one that a power cut has left as something else."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) and "key" in value else {}


def _cast(astro: Any, birth: dict[str, Any]) -> dict[str, Any]:
    try:
        gender = GENDERS[birth["gender"]]
        made = astro.by_solar(birth["date"], birth["hour"], gender, True, LANGUAGES[birth["language"]])
        return {"chart": made.model_dump()}
    except Exception as problem:  # noqa: BLE001 (the library raises its engine's own kinds; one birth must not stop the others)
        return {"error": (str(problem).strip().splitlines() or ["no message"])[-1][:200]}


if __name__ == "__main__":
    main(*sys.argv[1:3])
