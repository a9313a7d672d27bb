"""What a person sees while something runs: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import errno
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol, cast

BAR = 30  # columns of a bar where the words beside it leave them


class Bar(Protocol):
    """Takes how much is done, of how much, and a few words beside it."""

    def __call__(self, done: float, total: float | None, note: str = "") -> None: ...


class Steady:
    """A stream whose terminal may be closed: it refuses every word a moment before the signal comes that ends all in order."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._tried(self._stream.write, text) or len(text)

    def flush(self) -> None:
        self._tried(self._stream.flush)

    def _tried(self, act: Callable[..., Any], *given: str) -> Any:
        try:
            return act(*given)
        except OSError as problem:
            if problem.errno != errno.EIO:
                raise
            return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Console:
    """Writes to standard error, so that a command's own output stays clean for scripts."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()

    def line(self, text: str) -> None:
        print(text, file=Steady(sys.stderr), flush=True)

    def stage(self, name: str, text: str, seconds: float | None = None) -> None:
        """One finished step, aligned: name, what came of it, how long it took."""
        took = f"  {seconds:.1f} s" if seconds is not None else ""
        self.line(f"{name:<9} {text}{took}")

    @contextlib.contextmanager
    def bar(self, name: str) -> Iterator[Bar]:
        if self.terminal:
            with self._rich_bar(name) as update:
                yield update
        else:
            yield _plain_bar(self, name)

    @contextlib.contextmanager
    def _rich_bar(self, name: str) -> Iterator[Bar]:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.table import Column

        drawn, console = BarColumn(bar_width=BAR), RichConsole(file=cast(IO[str], Steady(sys.stderr)))
        columns: list[Any] = [
            TextColumn("{task.description:<9}", table_column=Column(min_width=9, no_wrap=True)),
            drawn,
            TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            TimeElapsedColumn(table_column=Column(min_width=7, no_wrap=True)),
        ]
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(name, total=None, note="")

            def update(done: float, total: float | None, note: str = "") -> None:
                drawn.bar_width = max(3, min(BAR, console.width - len(note) - 20))  # words before pictures
                progress.update(task, completed=done, total=total, note=note)

            yield update


def _plain_bar(console: Console, name: str) -> Bar:
    """A line after two seconds, then at most one in ten: enough for a log file."""
    shown = [time.monotonic() - 8.0]

    def update(done: float, total: float | None, note: str = "") -> None:
        if time.monotonic() - shown[0] >= 10.0:
            shown[0] = time.monotonic()
            share = f"{done / total:.0%} " if total else ""
            console.line(f"{name:<9} … {share}{note}")

    return update


def shown(path: Path) -> str:
    """A path as a person would type it from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def said_seconds(seconds: float) -> str:
    """About how long, in words."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
