"""The stage as the command line runs it, with an embedder that needs no model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lorewright.manifest import read_json
from lorewright.rag.store import open_index
from lorewright.runner import Choice, execute
from lorewright.stages import Run

from .ingested import facts, lore

RunOf = Callable[..., Run]
ONLY = Choice(only=("ingest",))
KILLED = """
import sys, time
from pathlib import Path
from typing import Any
from lorewright import manifest
from lorewright.cli import main
from lorewright.errors import LorewrightError
from lorewright.stages import ingest
from tests.rag.fakes import WordEmbedder

class Slow(WordEmbedder):
    def passages(self, texts):
        time.sleep(0.05)
        return super().passages(list(texts))

ingest.load_embedder = lambda *asked: Slow()
sys.exit(main(["ingest", sys.argv[1]]))
"""


@pytest.mark.req("F7")
def test_an_index_goes_on_from_the_one_before(make_recipe, run_of: RunOf, fake_tools: Path, words: list[str], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe(rag={"sources": ["lore"]})
    folder = lore(tmp_path)
    execute(run_of(file), ONLY)
    first = run_of(file).paths.latest(run_of(file).plan.step("ingest")).resolve()
    (folder / "0.md").write_text("# Day 0\n\nThe sun shone.")
    (folder / "1.md").unlink()
    run = run_of(file)
    execute(run, ONLY)
    second = facts(run)
    assert (second["kept"], second["new"], second["gone"], second["embedded"]) == (1, 1, 2, 1)
    assert "2 lore files -> 2 passages in 1 categories; 1 files read, 1 unchanged, 2 gone" in str(second["said"])
    latest = run.paths.latest(run.plan.step("ingest")).resolve()
    assert latest != first
    assert first.exists(), "the one before serves until it is not asked any more"
    index = open_index(latest / "index")
    assert index.count == 2
    index.close()
    assert list(latest.parent.glob("*.vectors")) == list(latest.parent.glob("*.partial")) == []
    (folder / "2.md").unlink()
    execute(run_of(file), ONLY)
    assert words == ["all-MiniLM-L6-v2"] * 2, "to take out a file no model is loaded"


@pytest.mark.req("F7")
def test_another_way_of_cutting_means_all_anew(
    make_recipe, run_of: RunOf, fake_tools: Path, words: list[str], tmp_path: Path, capfd
) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe(rag={"sources": ["lore"]})
    lore(tmp_path)
    execute(run_of(file), ONLY)
    capfd.readouterr()
    run = run_of(file, "rag.chunk_words=90")
    execute(run, ONLY)
    assert "ingest    all lore is embedded anew: chunk_words was 180, is 90" in capfd.readouterr().err
    assert facts(run)["embedded"] == 3


@pytest.mark.req("F7")
def test_other_precision_means_other_vectors(make_recipe, run_of: RunOf, fake_tools: Path, words: list[str], tmp_path: Path, capfd) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe(rag={"sources": ["lore"]})
    lore(tmp_path)
    execute(run_of(file, "rag.embedding_precision=bfloat16"), ONLY)
    run = run_of(file, "rag.embedding_precision=float32")
    execute(run, ONLY)
    assert "all lore is embedded anew: embedding_precision was bfloat16, is float32" in capfd.readouterr().err
    stamp = read_json(run.paths.latest(run.plan.step("ingest")) / "index" / "stamp.json")
    assert (stamp["embedding_precision"], facts(run)["embedded"]) == ("float32", 3)


def test_force_embeds_all_again(make_recipe, run_of: RunOf, fake_tools: Path, words: list[str], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe(rag={"sources": ["lore"]})
    lore(tmp_path)
    for _ in range(2):
        run = run_of(file)
        execute(run, Choice(only=("ingest",), force=True))
        assert (facts(run)["embedded"], facts(run)["kept"]) == (3, 0)


@pytest.mark.req("F7")
def test_killed_in_the_middle_it_embeds_nothing_twice(
    make_recipe, run_of: RunOf, fake_tools: Path, words: list[str], tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe(rag={"sources": ["lore"]})
    lore(tmp_path, 2000)
    runs, repo = tmp_path / "runs", Path(__file__).parents[2]
    settings = os.environ | {"LOREWRIGHT_RUNS": str(runs), "PYTHONPATH": f"{repo / 'src'}:{repo}"}
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(file)], env=settings, stderr=subprocess.PIPE, text=True)
    journal = runs / "collections" / "lore"
    deadline = time.monotonic() + 30
    while not any(found.stat().st_size > 256 * (16 + 4 * 64) for found in journal.glob("*.vectors")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    run = run_of(file)
    execute(run, ONLY)
    embedded = facts(run)["embedded"]
    assert isinstance(embedded, int)
    assert embedded <= 2000 - 256
    index = open_index(run.paths.latest(run.plan.step("ingest")) / "index")
    assert (index.count, index.stamp["vectors"]) == (2000, 2000)
    index.close()


def test_only_the_last_rename_was_missing(make_recipe, run_of: RunOf, fake_tools: Path, words: list[str], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe(rag={"sources": ["lore"]})
    lore(tmp_path)
    run = run_of(file)
    execute(run, ONLY)
    done = run.paths.latest(run.plan.step("ingest")).resolve()
    (done / "step.json").unlink()
    done.rename(done.with_suffix(".partial"))
    words.clear()
    execute(run_of(file), ONLY)
    assert words == []
    assert json.loads((done / "step.json").read_text())["facts"]["chunks"] == 3


@pytest.mark.req("F7")
def test_a_large_unchanged_tree_is_seen_as_such_at_once(
    make_recipe, run_of: RunOf, fake_tools: Path, words: list[str], tmp_path: Path, capfd  # type: ignore[no-untyped-def]
) -> None:  # fmt: skip
    file = make_recipe(rag={"sources": ["lore"]})
    lore(tmp_path, 1000)
    execute(run_of(file), ONLY)
    capfd.readouterr()
    begun = time.monotonic()
    execute(run_of(file), ONLY)
    assert time.monotonic() - begun < 10.0, "a tenth of the files; benchmarks/retrieval_speed.py says how fast it is"
    assert "unchanged, skipped" in capfd.readouterr().err


@pytest.mark.req("F7")
def test_an_index_goes_on_from_the_newest_of_its_own_kind(
    make_recipe, run_of: RunOf, fake_tools: Path, words: list[str], tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    file, other = make_recipe(rag={"sources": ["lore"]}), make_recipe("other", rag={"sources": ["lore"], "chunk_words": 90})
    folder = lore(tmp_path)
    for recipe in (file, other):
        execute(run_of(recipe), ONLY)
    (folder / "0.md").write_text("# Day 0\n\nThe sun shone.")
    execute(run_of(file), ONLY)
    assert (facts(run_of(file))["kept"], facts(run_of(file))["embedded"]) == (2, 1), "not from the one that was cut in another way"


@pytest.mark.req("F7")
def test_a_file_whose_name_is_not_utf8_is_named_and_the_others_are_used(
    make_recipe, run_of: RunOf, fake_tools: Path, words: list[str], tmp_path: Path, capfd
) -> None:  # type: ignore[no-untyped-def]
    file, folder = make_recipe(rag={"sources": ["lore"]}), lore(tmp_path)
    (folder / os.fsdecode(b"caf\xe9.md")).write_text("# Cafe\n\nA house on the quay.")
    for _ in range(2):
        run = run_of(file)
        execute(run, ONLY)
    assert facts(run)["problems"] == [os.fsdecode(b"caf\xe9.md: its name is not UTF-8; rename it")]
    assert facts(run)["files"] == 3
    said = capfd.readouterr().err
    assert "its name is not UTF-8; rename it" in said
    assert "unchanged, skipped" in said
