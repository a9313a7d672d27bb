"""The life of a collection: watched, pruned, taken up by a proxy, and never of two states at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lorewright import manifest
from lorewright.cli import ingest as watching
from lorewright.cli import main
from lorewright.errors import LorewrightError
from lorewright.locks import locked
from lorewright.manifest import write_json
from lorewright.plan import Paths
from lorewright.rag import ingest as ingesting
from lorewright.rag import watch
from lorewright.rag.retrieve import Search
from lorewright.rag.settings import read_settings
from lorewright.rag.store import open_index
from lorewright.recipe import Rerank
from lorewright.runner import Choice, execute
from lorewright.stages import Run
from lorewright.stages import ingest as stage
from lorewright.stages.rag import rag
from tests.rag.fakes import WordEmbedder

from .ingested import facts, fingerprints, lore

RunOf = Callable[..., Run]
ONLY = Choice(only=("ingest",))


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
