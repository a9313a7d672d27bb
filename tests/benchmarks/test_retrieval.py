"""`lorewright bench retrieval`: what is counted, what helps, and the whole verb with an embedder that needs no model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from lorewright.benchmarks import retrieval
from lorewright.benchmarks.retrieval import measure, search_of
from lorewright.benchmarks.retrieval_report import figures, remedy, report
from lorewright.benchmarks.scoring import Measured
from lorewright.benchmarks.suite import Question
from lorewright.cli import main
from lorewright.errors import LorewrightError
from lorewright.rag.retrieve import Search
from lorewright.rag.store import Index
from lorewright.recipe import load
from lorewright.stages import ingest as stage
from tests.rag.conftest import index as index  # the lore of three passages
from tests.rag.fakes import WordEmbedder

ARM = Question("named", "Is Elara Voss' left arm cybernetic, of brushed steel?", 2, ("brushed steel",))
FAR = Question("paraphrased", "freezes in winter", 3, ("freezes in winter",))
NOWHERE = Question("named", "What does Elara eat?", 4, ("porridge",))
OTHER = Question("unmatched", "What is the capital of Portugal?", 5)
NAMED = Question("unmatched", "Does Elara play chess?", 6)
NEAR = Search(top_k=2, max_distance=0.4)


def asked(index: Index, search: Search, *questions: Question) -> Measured:
    return measure(index, WordEmbedder(), questions, search, lambda done, total, note="": None)


@pytest.mark.req("F7")
def test_what_is_found_is_counted(index: Index) -> None:
    measured = asked(index, NEAR, ARM, FAR, NOWHERE, OTHER, NAMED)
    assert [answer.right for answer in measured.answers] == [True, False, False, True, False]
    assert [answer.place for answer in measured.answers] == [1, None, None, None, None]
    counted = figures(measured.answers)
    assert (counted["count"], counted["recall"], counted["mrr"]) == (5, 0.3333, 0.3333)
    assert (counted["unmatched"], counted["false_injections"]) == (2, 1)
    assert counted["milliseconds"]["p95"] >= counted["milliseconds"]["p50"] > 0


def test_a_second_place_counts_half_for_mrr(index: Index) -> None:
    second = Question("named", "Elara Voss: does she speak in short sentences and never swear? Which arm?", 2, ("brushed steel",))
    answer = asked(index, NEAR, second).answers[0]
    assert answer.place == 2
    assert figures([answer])["mrr"] == 0.5


@pytest.mark.req("F7")
def test_each_failure_is_told_what_helps(index: Index) -> None:
    measured = asked(index, NEAR, FAR, NOWHERE, NAMED)
    helped = measured.helped_by(0)
    assert helped is not None and helped > NEAR.max_distance
    assert remedy(measured, 0) == f"found with rag.max_distance {helped:g}"
    assert asked(index, replace(NEAR, max_distance=helped), FAR).answers[0].right, "and it is true"
    assert remedy(measured, 1).startswith("no passage of the lore is like that")
    assert remedy(measured, 2).startswith("the lore uses “elara” as a name")
    few = asked(index, Search(top_k=1, max_distance=2.0), replace(ARM, ask="Elara speaks", holds=("brushed steel",)))
    assert remedy(few, 0).startswith("it stands at place 2: a larger rag.top_k")
    one = asked(index, Search(top_k=2, max_distance=2.0, per_source=1), replace(ARM, ask="Elara speaks", holds=("brushed steel",)))
    assert remedy(one, 0).startswith("passed over (already 1 from characters/elara.md): a larger rag.per_source")


def test_a_threshold_that_helps_one_and_spoils_others_is_told_as_that(index: Index) -> None:
    farther = Question("paraphrased", "Which water is frozen?", 9, ("brushed steel",))
    others = [Question("unmatched", ask, 9) for ask in ("What is the best sport in the cold?", "the ice in my tea", "The sea in my book")]
    measured = asked(index, NEAR, farther, *others)
    assert [answer.right for answer in measured.answers] == [False, True, True, True]
    assert remedy(measured, 0) == "found with rag.max_distance 0.85, but then 1 of 4 questions are right instead of 3"
    assert measured.best() is None, "the recipe's own is the best"


@pytest.mark.req("F7")
def test_the_best_threshold_is_told_with_a_warning(index: Index) -> None:
    measured = asked(index, NEAR, ARM, FAR)
    best = measured.best()
    assert best and best[1] == 2
    made = report("r", "mine.yaml", index.stamp, measured)
    said = f"With rag.max_distance {best[0]:g}, 2 of the 2 questions would be right instead of 1. It was chosen by these same questions"
    assert said in " ".join(made.text.split()) and said in made.markdown
    assert made.facts["best_max_distance"] == {"value": best[0], "right": 2}
    everything = asked(index, NEAR, ARM)
    assert (everything.best(), everything.tried) == (None, {})
    assert "What went wrong" not in report("r", "mine.yaml", index.stamp, everything).markdown


def test_of_equally_good_thresholds_the_nearest_is_told() -> None:
    tried = {0.2: [True, True, False], 0.4: [True, True, False], 0.5: [True, False, False], 0.9: [True, True, False]}
    measured = Measured(Search(max_distance=0.5), [], tried)
    assert measured.best() == (0.4, 2)
    assert [measured.helped_by(number) for number in range(3)] == [0.5, 0.4, None]


def test_every_setting_of_a_search_comes_from_the_recipe(make_recipe: Callable[..., Path]) -> None:
    told = {"top_k": 7, "max_distance": 0.9, "lexical": False, "per_source": 3, "neighbours": 1}
    rag = load(make_recipe(rag={"sources": ["lore"], **told})).rag
    assert rag
    search = search_of(rag)
    assert {name: getattr(search, name) for name in told} == told
    assert search.sources == (), "the lore's folders are no filter"
    assert {one.name for one in fields(Search)} - {"categories", "sources", "tags"} <= {one.name for one in fields(rag)}


LORE = "# Anna\n\nAnna keeps many black bees.\n\n## Her hives\n\nHer hives stand by the sea, eleven of them."
SUITE = """
named:
  - {ask: "Who keeps black bees?", source: anna.md}
  - {ask: "Where do her hives stand?", heading: Her hives, holds: [by the sea]}
unmatched: [How do vaccines work?]
"""


@pytest.fixture
def recipe(make_recipe: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (retrieval, stage):
        monkeypatch.setattr(module, "load_embedder", lambda name, *more: WordEmbedder())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOREWRIGHT_RUNS", str(tmp_path / "runs"))
    (tmp_path / "mine.yaml").write_text(SUITE)
    file = make_recipe(rag={"sources": ["lore"], "embedding_model": "words", "collection": "bees", "max_distance": 0.8})
    (tmp_path / "lore" / "anna.md").write_text(LORE)
    return file


@pytest.mark.req("F7")
def test_the_verb_indexes_asks_and_keeps_a_report(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "retrieval", str(recipe), "--suite", "mine.yaml", "--fail-under", "1"]) == 0
    out, said = capsys.readouterr()
    assert "1 lore files -> 2 passages" in said, "what was not indexed yet is indexed first"
    head, how, _, titles, named, unmatched, every, _, kept = out.strip().splitlines()
    assert head == "small: 3 questions of mine.yaml"
    assert how == "2 passages, words, rag.max_distance 0.8, rag.top_k 5"
    assert titles.split()[:3] == ["kind", "questions", "recall@5"]
    assert (named.split()[:4], every.split()[:4]) == (["named", "2", "1.00", "1.00"], ["all", "3", "1.00", "1.00"])
    assert unmatched.split()[:5] == ["unmatched", "1", "0", "of", "1"]
    assert kept == "report  runs/small/reports/retrieval.md"
    facts = json.loads((tmp_path / "runs/small/reports/retrieval.json").read_text())
    assert (facts["recall"], facts["false_injections"], facts["questions"][0]["found"][0]["source"]) == (1, 0, "anna.md")
    assert (tmp_path / "runs/small/reports/retrieval.md").read_text().startswith("# Retrieval: small\n")
    assert main(["bench", "retrieval", str(recipe), "--suite", "mine.yaml", "--json"]) == 0
    out, said = capsys.readouterr()
    assert "unchanged, skipped" in said
    assert json.loads(out)["kinds"]["named"]["recall"] == 1


@pytest.mark.req("F7")
def test_too_low_a_recall_is_exit_code_1(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.yaml").write_text(SUITE.replace("[by the sea]", "[in the wood]"))
    words = ["bench", "retrieval", str(recipe), "--suite", "mine.yaml"]
    assert main(words) == 0
    assert "not found   Where do her hives stand?   (mine.yaml:4)" in capsys.readouterr().out
    assert main([*words, "--fail-under", "0.6"]) == 1
    assert "recall is 0.5, less than 0.6" in capsys.readouterr().err
    assert main([*words, "--fail-under", "0.5"]) == 0
    (tmp_path / "mine.yaml").write_text("unmatched: [Why?]")
    assert main([*words, "--fail-under", "0.5"]) == 1
    assert "nothing to judge" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([*words, "--fail-under", "90"])


def test_mistakes_are_told_before_anything_is_made(
    recipe: Path, make_recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yaml").write_text("named: [Who?]")
    assert main(["bench", "retrieval", str(recipe), "--suite", "mine.yaml"]) == 1
    assert capsys.readouterr().err.startswith("mine.yaml:1: what is to be found?")
    assert main(["bench", "retrieval", str(recipe)]) == 1
    assert "this recipe has its own; write down some questions" in capsys.readouterr().err
    assert main(["bench", "retrieval", str(make_recipe("plain"))]) == 1
    assert "the recipe has no lore" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
    with pytest.raises(SystemExit, match="2"):
        main(["bench", "recall", str(recipe)])


def test_an_index_of_another_model_is_refused(recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Other(WordEmbedder):
        name = "others"

    monkeypatch.setattr(retrieval, "load_embedder", lambda name, *more: Other())
    assert main(["bench", "retrieval", str(recipe), "--suite", "mine.yaml"]) == 1
    assert "the lore index was made with words" in capsys.readouterr().err


def test_what_stops_a_benchmark_is_no_traceback(index: Index) -> None:
    with pytest.raises(LorewrightError):
        retrieval.read(load(Path(__file__).parents[2] / "configs" / "starter.yaml"), Path("none.yaml"))


@pytest.mark.real
@pytest.mark.req("F7")
def test_the_door_asks_lore_with_the_real_embedder(
    make_recipe: Callable[..., Path], tmp_path: Path, lorewright: Callable[..., CompletedProcess[str]]
) -> None:
    file = make_recipe(rag={"sources": ["lore"], "collection": "bees"})
    (tmp_path / "lore" / "anna.md").write_text(LORE)
    (tmp_path / "lore" / "bo.md").write_text("# Bo\n\nBo mends nets all day and is afraid of thunder.")
    asked = '{ask: "Who fears a storm?", source: bo.md}, {ask: "Where does she keep the beehives?", heading: Her hives}'
    (tmp_path / "mine.yaml").write_text(f"paraphrased: [{asked}]\nunmatched: [How do I renew my passport?]")
    words = ["bench", "retrieval", str(file), "--suite", str(tmp_path / "mine.yaml"), "--json", "--set", "rag.max_distance=0.7"]
    facts = json.loads(lorewright(*words).stdout)
    assert (facts["recall"], facts["false_injections"]) == (1, 0), facts
