"""The one exception that speaks to the user: what happened, where, and what to do next."""

from __future__ import annotations


class LorewrightError(Exception):
    """A user's mistake or a failure outside our code; shown as lines without a traceback, exit code 1.

    what: one sentence. where: `file:line` or a path, put before it. remedy: what to do next, put after it.
    tail: the last lines of a log, printed before the message.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "", tail: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.what, self.where, self.remedy, self.tail = what, where, remedy, tail

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        after = f"; {self.remedy}" if self.remedy else ""
        return f"{place}{self.what}{after}"


class BusyError(LorewrightError):
    """Another run has what this one needs; later it may be free."""


def unreachable(url: str) -> LorewrightError:
    return LorewrightError("nothing answers there", where=url, remedy="start it with ./lorewright rag RECIPE")


class RecipeError(LorewrightError):
    """All problems found in one recipe, one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
