"""The stage as the command line runs it, with an embedder that needs no model."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lorewright import manifest
from lorewright.cli import ingest as watching
from lorewright.cli import main
from lorewright.errors import LorewrightError
from lorewright.locks import locked
from lorewright.manifest import read_json, write_json
from lorewright.plan import Paths
from lorewright.rag import ingest as ingesting
from lorewright.rag import watch
from lorewright.rag.retrieve import Search
from lorewright.rag.settings import read_settings
from lorewright.rag.store import open_index
from lorewright.recipe import Rerank
from lorewright.runner import Choice, _Runner, execute
from lorewright.stages import Run
from lorewright.stages import ingest as stage
from lorewright.stages.rag import rag
from tests.rag.fakes import WordEmbedder

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


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The embedders that were loaded."""
    loaded: list[str] = []

    def load(name: str, precision: str) -> WordEmbedder:
        loaded.append(name)
        return WordEmbedder()

    monkeypatch.setattr(stage, "load_embedder", load)
    return loaded


def lore(folder: Path, count: int = 3) -> Path:
    for number in range(count):
        (folder / "lore" / f"{number}.md").write_text(f"# Day {number}\n\nOn day {number} it rained on the nets.")
    return folder / "lore"


def fingerprints(run: Run) -> tuple[str, str]:
    """What names the proxy, and the answers to the recipe's questions."""
    runner = _Runner(run, Choice())
    for step in run.plan.steps:
        if step.name == "ingest":
            runner._artifact(step, make=False)
        else:
            runner._fingerprint(step)
    return runner.prints["rag"], runner.prints["query"]


def facts(run: Run) -> dict[str, object]:
    return dict(read_json(run.paths.latest(run.plan.step("ingest")) / "step.json")["facts"])


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
def test_watching_indexes_after_every_change_and_outlives_mistakes(
    make_recipe, fake_tools: Path, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd  # type: ignore[no-untyped-def]
) -> None:  # fmt: skip
    file, folder = make_recipe(rag={"sources": ["lore"]}), lore(tmp_path)

    def changes(sources: tuple[str, ...]) -> Iterator[None]:
        assert sources == (str(folder),)
        yield
        (folder / "new.md").write_text("# New\n\nA stranger came up the stairs.")
        yield
        folder.rename(tmp_path / "away")
        yield
        (tmp_path / "away").rename(folder)
        (folder / "new.md").unlink()
        yield

    monkeypatch.setattr(watch, "changes", changes)
    assert main(["ingest", str(file), "--watch", "--force", "--runs", str(tmp_path / "runs")]) == 0
    said = capfd.readouterr().err
    assert "3 lore files -> 3 passages" in said
    assert "4 lore files -> 4 passages in 1 categories; 1 files read, 3 unchanged, 0 gone" in said
    assert "no such file or folder" in said
    assert "ingest    unchanged, skipped: 3 lore files" in said, "as it was before"


@pytest.mark.req("F7")
def test_watching_waits_for_another_run_of_the_recipe(
    make_recipe, fake_tools: Path, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd  # type: ignore[no-untyped-def]
) -> None:  # fmt: skip
    file, folder = make_recipe(rag={"sources": ["lore"]}), lore(tmp_path)
    paths, pauses = Paths(tmp_path / "runs", "small"), list[float]()
    held = contextlib.ExitStack()

    def changes(sources: tuple[str, ...]) -> Iterator[None]:
        held.enter_context(locked(paths))
        (folder / "new.md").write_text("# New\n\nA stranger came up the stairs.")
        yield

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            held.close()

    monkeypatch.setattr(watch, "changes", changes)
    monkeypatch.setattr(watching, "sleep", pause)
    assert main(["ingest", str(file), "--watch", "--runs", str(tmp_path / "runs")]) == 0
    said = capfd.readouterr().err
    assert said.count("is being run by pid") == 1 and len(pauses) == 3
    assert "4 lore files -> 4 passages" in said


@pytest.mark.req("F7")
def test_old_indexes_go_and_what_is_needed_stays(make_recipe, run_of: RunOf, fake_tools: Path, words: list[str], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file, other = make_recipe(rag={"sources": ["lore"]}), make_recipe("other", rag={"sources": ["lore"], "chunk_words": 90})
    folder = lore(tmp_path)
    execute(run_of(other), ONLY)
    kept = run_of(other).paths.latest(run_of(other).plan.step("ingest")).resolve()
    (kept.parent / "cut.partial").mkdir()
    write_json(kept.parent / "cut.partial" / "owner.json", {"recipe": "other"})
    vectors = kept.parent / "other.0123.vectors"
    vectors.write_bytes(b"x")
    made = []
    for number in range(4):
        (folder / "0.md").write_text(f"# Day 0\n\nThe sun shone {number} hours.")
        execute(run_of(file), ONLY)
        made.append(run_of(file).paths.latest(run_of(file).plan.step("ingest")).resolve())
    left = {path.name for path in kept.parent.iterdir()}
    assert left == {kept.name, made[2].name, made[3].name, "cut.partial", vectors.name, "lock"}


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


@pytest.mark.req("F7", "F8")
def test_new_lore_is_no_other_proxy_but_another_answer(
    make_recipe, run_of: RunOf, fake_tools: Path, words: list[str], tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    file, folder = make_recipe(rag={"sources": ["lore"]}, questions=["Did it rain?"], axolotl=None, data=None), lore(tmp_path)

    def prints(*overrides: str) -> tuple[str, str]:
        execute(run_of(file, *overrides), ONLY)
        return fingerprints(run_of(file, *overrides))

    proxy, answers = prints()
    (folder / "0.md").write_text("# Day 0\n\nThe sun shone.")
    other_proxy, other_answers = prints()
    assert proxy == other_proxy, "a desk that is open goes on"
    assert answers != other_answers, "and the questions are asked again"
    assert prints("rag.embedding_model=another")[0] != proxy
    assert prints("rag.collection=another")[0] != proxy


def test_the_proxy_is_told_how_to_search(make_recipe, run_of: RunOf, fake_tools: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "ranker").mkdir()
    more = {"lexical": False, "per_source": 2, "neighbours": 1, "rerank": {"model": "./ranker", "deadline_ms": 90}}
    run = run_of(make_recipe(rag={"sources": ["lore"], "top_k": 7} | more))
    run.work = tmp_path / "work"
    run.work.mkdir()
    run.done["ingest"] = tmp_path / "done"
    rag(run.plan.step("rag"), run)
    search = read_settings(run.work / "rag.json").search
    assert search == Search(7, 0.55, False, 2, 1, Rerank(str(tmp_path / "ranker"), 90, 20))


@pytest.mark.req("F7")
def test_an_index_never_holds_what_was_written_after_it_was_named(
    make_recipe, run_of: RunOf, fake_tools: Path, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # type: ignore[no-untyped-def]
) -> None:  # fmt: skip
    file, folder = make_recipe(rag={"sources": ["lore"]}), lore(tmp_path)
    before = (folder / "0.md").read_text()
    read = ingesting.read_files

    def read_late(*given: Any) -> Any:
        (folder / "0.md").write_text("# Day 0\n\nA line that its writer took back.")
        return read(*given)

    monkeypatch.setattr(ingesting, "read_files", read_late)
    with pytest.raises(LorewrightError, match="the lore has changed while it was read; run the same command again"):
        execute(run_of(file), ONLY)
    monkeypatch.undo()
    monkeypatch.setattr(stage, "load_embedder", lambda name, *more: WordEmbedder())
    (folder / "0.md").write_text(before)
    execute(run_of(file), ONLY)
    index = open_index(run_of(file).paths.latest(run_of(file).plan.step("ingest")) / "index")
    texts = [hit.passage.text for hit in index.search(WordEmbedder().query("day"), 9)]
    index.close()
    assert len(texts) == 3
    assert not any("took back" in text for text in texts)


def test_a_file_that_goes_while_it_is_listed_is_gone(
    make_recipe, run_of: RunOf, fake_tools: Path, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # type: ignore[no-untyped-def]
) -> None:  # fmt: skip
    file, folder = make_recipe(rag={"sources": ["lore"]}), lore(tmp_path)
    real = manifest.source_files

    def listed(source: str) -> list[tuple[Path, Path]]:
        found = real(source)
        (folder / "0.md").unlink(missing_ok=True)
        return found

    monkeypatch.setattr(manifest, "source_files", listed)
    execute(run_of(file), ONLY)
    assert facts(run_of(file))["files"] == 2
