"""What the tests of kept runs share: runs with stand-in tools, and the verbs on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lorewright.cli import main
from lorewright.history.kept import Kept
from lorewright.runner import Choice, execute
from lorewright.stages import Run

RunOf = Callable[..., Run]
Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def kept_run(run_of: RunOf) -> Callable[..., Kept]:
    """Carries out a recipe file and gives the run back as it was kept."""

    def go(file: Path, *overrides: str, force: bool = False) -> Kept:
        return Kept.read(execute(run_of(file, *overrides), Choice(force=force)))

    return go


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    """A verb on the runs of the test: its exit code, what it prints, what it tells beside."""

    def go(verb: str, *words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([verb, *words, "--runs", str(tmp_path / "runs")])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return go
