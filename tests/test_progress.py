"""What a person sees while something runs, on a terminal that goes away."""

from __future__ import annotations

import errno
import os
import pty
import sys

import pytest

from lorewright.progress import Console, Steady


def test_a_terminal_that_was_closed_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its signal ends all in order, a moment later."""
    ours, theirs = pty.openpty()
    with open(theirs, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        console = Console()
        assert console.terminal
        with console.bar("train") as bar:
            bar(1, 2, "half")
            os.close(ours)
            with pytest.raises(OSError, match="Input/output error"):
                os.write(theirs, b"refused")
            console.line("said to nobody")
            bar(2, 2, "all")
        console.line("and once more")
        os.dup2(os.open(os.devnull, os.O_WRONLY), theirs)  # as the signal's handler does


class Refusing:
    def __init__(self, number: int) -> None:
        self.number = number

    def write(self, text: str) -> int:
        raise OSError(self.number, "refused")


def test_what_else_a_stream_refuses_is_an_error() -> None:
    assert Steady(Refusing(errno.EIO)).write("word") == 4
    with pytest.raises(OSError, match="refused"):
        Steady(Refusing(errno.ENOSPC)).write("word")
