"""Birth data: drawn from a seed, or read from rows."""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from lorewright.data.formats.rows import BadRow, Row
from lorewright.recipe import Charts

LATE_RAT = 12  # the hour from 23:00; 0 is the one from midnight
YEARS = range(1900, 2101)  # what the almanac covers
OFFSETS = (-8.0, -6.0, -5.0, -3.0, 0.0, 1.0, 2.0, 3.0, 5.5, 7.0, 8.0, 8.0, 8.0, 9.0, 10.0)  # where people live; 8 is China's
_GENDERS = {"male": "male", "m": "male", "男": "male", "female": "female", "f": "female", "女": "female"}
_CLOCK = re.compile(r"^(\d{1,2})(?::(\d{2}))?(?::\d{2})?$")


@dataclass(frozen=True)
class Birth:
    """date: YYYY-MM-DD at the place of birth. hour: 0 to 12, the double hour. tz: offset from UTC in hours. language: zh or en."""

    date: str
    hour: int
    gender: str
    tz: float
    language: str

    @property
    def key(self) -> str:
        return f"{self.date} {self.hour} {self.gender} {self.tz:g} {self.language}"

    def line(self) -> dict[str, object]:
        """What the worker reads."""
        year, month, day = map(int, self.date.split("-"))
        return asdict(self) | {"key": self.key, "date": f"{year}-{month}-{day}"}


def drawn(settings: Charts, seed: int) -> Iterator[Birth]:
    """Births without end, never one twice in a row of draws; the first n are the same for the same seed, however many are taken.

    Ends when the range holds hardly any that were not drawn.
    """
    first = datetime.date(settings.start_year, 1, 1).toordinal()
    last = datetime.date(settings.end_year, 12, 31).toordinal()
    draw = random.Random(f"births {seed}")  # noqa: S311 (a draw, not a secret)
    seen: set[str] = set()
    misses = 0
    while misses < 1000:
        date = datetime.date.fromordinal(draw.randint(first, last)).isoformat()
        hour, gender, offset = draw.randint(0, LATE_RAT), draw.choice(("male", "female")), draw.choice(OFFSETS)
        language = settings.languages[len(seen) % len(settings.languages)]
        birth = Birth(date, hour, gender, offset if settings.tz is None else float(settings.tz), language)
        misses = misses + 1 if birth.key in seen else 0
        if not misses:
            seen.add(birth.key)
            yield birth


def read_births(rows: Sequence[Row], settings: Charts) -> tuple[list[Birth], list[BadRow]]:
    """Births of rows with date (YYYY-MM-DD), time (HH:MM, or the hour) and gender; tz and language where a row has them."""
    found: dict[str, Birth] = {}
    bad: list[BadRow] = []
    for row in rows:
        try:
            language = settings.languages[len(found) % len(settings.languages)]
            birth = Birth(
                _date(row.needed("date")), double_hour(row.needed("time")), _gender(row.needed("gender")),
                _offset(row.text("tz"), settings.tz), _language(row.text("language") or language),
            )  # fmt: skip
        except ValueError as problem:
            bad.append(BadRow(row.place, str(problem)))
            continue
        if birth.key in found:
            bad.append(BadRow(row.place, "is the birth of an earlier row again"))
        found.setdefault(birth.key, birth)
    return list(found.values()), bad


def double_hour(time: str) -> int:
    """The double hour of a clock time: 0 from midnight, 1 from one o'clock, then every two hours; 12 from 23:00."""
    match = _CLOCK.match(time)
    if not match or int(match[1]) > 23 or int(match[2] or 0) > 59:
        raise ValueError(f"time is {time!r}, not HH:MM")
    return (int(match[1]) + 1) // 2


def _date(text: str) -> str:
    try:
        date = datetime.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"date is {text!r}, not a day written YYYY-MM-DD") from None
    if date.year not in YEARS:
        raise ValueError(f"date is {text!r}; the almanac covers {YEARS[0]} to {YEARS[-1]}")
    return date.isoformat()


def _gender(text: str) -> str:
    if text.lower() not in _GENDERS:
        raise ValueError(f"gender is {text!r}, not male or female (the chart's direction depends on it)")
    return _GENDERS[text.lower()]


def _offset(text: str, otherwise: float | None) -> float:
    try:
        value = float(text) if text else 8.0 if otherwise is None else float(otherwise)
    except ValueError:
        value = 99.0
    if not -12 <= value <= 14:
        raise ValueError(f"tz is {text!r}, not hours from UTC (-12 to 14)")
    return value


def _language(text: str) -> str:
    if text not in ("zh", "en"):
        raise ValueError(f"language is {text!r}, not zh or en")
    return text
