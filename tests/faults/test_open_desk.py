"""The desk stays open while its writer writes: what is new in the lore is in the next answers, without a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorewright.manifest import read_json
from tests.faults.conftest import REAL
from tests.faults.desk import Desk

pytestmark = [pytest.mark.real, pytest.mark.skipif(REAL, reason="the stand-in's answers are known, a real model's are not")]


@pytest.mark.req("F7", "F8")
def test_new_lore_is_in_the_answers_of_a_proxy_that_runs(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "lore").mkdir()
    (tmp_path / "lore" / "vesper.md").write_text("# Vesper\n\nVesper mends nets on the quay, and Quillon buys them.")
    desk.lorewright("rag", str(desk.file))
    proxy = desk.facts("rag")["pid"]

    def answer() -> str:
        said = desk.lorewright("run", str(desk.file))
        assert "rag       already running" in said or "query     unchanged, skipped" in said, said
        (one,) = read_json(desk.runs / "faults" / "latest" / "query" / "answers.json")
        return str(one["text"]).strip()

    assert answer() == "3 4 5 6"
    (tmp_path / "lore" / "quillon.md").write_text("# Quillon\n\nQuillon tends the lamp above the harbour.")
    assert answer() == "knows 3 4 5 6", "asked again, of the new index"
    desk.lorewright("rag", str(desk.file))
    assert desk.facts("rag")["pid"] == proxy, "nothing was restarted"
