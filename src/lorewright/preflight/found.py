"""What a check has found: good, worth a word, or in the way."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARN, BAD = "ok", "warn", "bad"


@dataclass(frozen=True)
class Found:
    """state: ok, warn (does not stop) or bad. name: what was looked at. said: what is there. remedy: what to do, where it is not ok."""

    state: str
    name: str
    said: str
    remedy: str = ""

    @property
    def text(self) -> str:
        return f"{self.said}; {self.remedy}" if self.remedy else self.said


def good(name: str, said: str) -> Found:
    return Found(OK, name, said)


def warn(name: str, said: str, remedy: str) -> Found:
    return Found(WARN, name, said, remedy)


def bad(name: str, said: str, remedy: str) -> Found:
    return Found(BAD, name, said, remedy)
