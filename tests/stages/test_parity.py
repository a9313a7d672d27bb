"""The parity stage with a stand-in for transformers: what it writes, what it says, and how it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lorewright.cli import main
from lorewright.errors import LorewrightError
from lorewright.manifest import latest_manifest, read_json
from lorewright.models.parity.compare import Verdict
from lorewright.models.parity.ends import End
from lorewright.models.parity.judged import Side
from lorewright.models.parity.told import told
from lorewright.plan import make_plan
from lorewright.progress import Console
from lorewright.recipe import load
from lorewright.runner import Choice, execute
from lorewright.stages import Run

pytestmark = pytest.mark.req("F5")
RunOf = Callable[..., Run]


@pytest.fixture
def checked(make_recipe: Callable[..., Path], run_of: RunOf, fake_tools: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> RunOf:
    """Runs of a recipe on a model with a real tokenizer, which the stand-ins pass on to the adapter."""
    monkeypatch.setenv("FAKE_AXOLOTL", "no tokenizer")
    monkeypatch.setenv("FAKE_APPLIED", "99")
    file = make_recipe(base_model=str(tiny_model), parity={"check": True})
    return lambda *overrides: run_of(file, *overrides)


def test_the_verdict_is_in_the_record_the_page_and_on_the_terminal(checked: RunOf, capfd: pytest.CaptureFixture[str]) -> None:
    run = checked()
    execute(run)
    folder = run.done["parity"]
    facts = read_json(folder / "step.json")["facts"]
    assert facts["merged"]["held"] and facts["merged"]["kl"] == 0.0 and facts["merged"]["positions"] > 100
    assert facts["merged"]["share"]["there"] == pytest.approx(1.0)
    record = latest_manifest(run.paths.manifests)
    assert record and record["steps"]["parity"]["facts"]["merged"]["held"] is True
    assert record["steps"]["parity_served"]["action"] == "left out"
    told = capfd.readouterr().err
    assert "parity    merged  " in told and told.count("holds") == 1
    assert "parity_served not looked at, for serve does not run as the recipe has it now: ./lorewright serve" in told
    assert "Yes: what was merged reads prompts" in (folder / "report.html").read_text()
    again = checked()
    execute(again)
    assert latest_manifest(again.paths.manifests)["steps"]["parity"]["action"] == "skipped"  # type: ignore[index]


def test_beyond_the_bound_the_run_fails_and_names_the_step(
    checked: RunOf, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE_PARITY", "off")
    run = checked()
    with pytest.raises(LorewrightError, match=r"what was merged is not what was trained, it broke in merge \(weights\)") as raised:
        execute(run)
    assert "merge again with --force" in str(raised.value)
    partial = next((run.paths.home / "parity").glob("*.partial"))
    assert read_json(partial / "parity.json")["merged"]["held"] is False
    record = latest_manifest(run.paths.manifests)
    assert record and record["status"] == "failed" and "it broke in merge (weights)" in record["error"]
    assert "broken: weights" in capfd.readouterr().err
    monkeypatch.delenv("FAKE_PARITY")
    execute(checked())


def test_a_wide_bound_passes_no_model_without_its_adapter(checked: RunOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_PARITY", "off")
    with pytest.raises(LorewrightError, match="weights"):
        execute(checked("parity.merged.kl=5", "parity.merged.top1=0"))  # the adapter is still not in it
    assert json.loads(next(checked().paths.home.glob("parity/*.partial/parity.json")).read_text())["merged"]["bound"] == {
        "kl": 5,
        "top1": 0,
    }


def test_a_merged_model_that_cannot_be_loaded_is_its_merges_fault(checked: RunOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_PARITY", "fail")
    with pytest.raises(LorewrightError, match=r"it broke in merge: transformers cannot load it or ask it") as raised:
        execute(checked())
    assert any("SafetensorError" in line for line in raised.value.tail)


def test_the_verb_looks_and_says_that_the_served_side_was_not_looked_at(
    checked: RunOf, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = checked()
    execute(run)
    capfd.readouterr()
    assert main(["parity", str(run.recipe.file), "--runs", str(tmp_path / "runs")]) == 0
    shown = capfd.readouterr()
    assert "parity    unchanged, skipped: merged as trained" in shown.err and "parity_served not looked at" in shown.err
    assert shown.out.splitlines()[-1].endswith("latest/parity/report.html")


def test_without_it_and_without_a_training_there_is_no_such_stage(make_recipe: Callable[..., Path]) -> None:
    for file in (make_recipe(), make_recipe(name="plain", axolotl=None, parity={"check": True})):
        assert not any(step.name.startswith("parity") for step in make_plan(load(file)).steps)
    names = [step.name for step in make_plan(load(make_recipe(parity=None, rag={"sources": ["lore"]}, questions=["Why?"]))).steps]
    assert names[-6:] == ["parity", "serve", "ingest", "rag", "query", "parity_served"]


def test_the_page_names_every_type_that_was_looked_at(tmp_path: Path) -> None:
    verdict = Verdict(6, 200, 0.0, 0.0, 1.0)
    sides = {kind: Side("exported", verdict, End(-1, ""), kind) for kind in ("F16", "Q8_0", "Q4_K_M")}
    facts = told(sides, "6 held-out prompts, 200 positions", "mine", tmp_path, Console())
    assert "what was exported as F16, Q8_0 and Q4_K_M reads prompts" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert str(facts["said"]).startswith("F16 as trained: divergence 0.00000 nats")


@pytest.mark.parametrize("more", [{"quantize_moe_experts": True}, {}])
def test_there_is_no_gate_where_experts_are_trained_in_4_bits(make_recipe: Callable[..., Path], more: dict[str, bool]) -> None:
    axolotl = {"adapter": "qlora", "load_in_4bit": True} | more
    plan = make_plan(load(make_recipe(parity={"check": True}, axolotl=axolotl, convert=None if more else "nf4")))
    assert not [step.name for step in plan.steps if step.name.startswith("parity")]


@pytest.mark.parametrize(("quantised", "live", "seen"), [(True, True, False), (True, False, True), (False, True, True)])
def test_an_adapter_of_4_bits_is_not_compared_beside_a_whole_base(
    make_recipe: Callable[..., Path], quantised: bool, live: bool, seen: bool
) -> None:
    axolotl = {"adapter": "qlora", "load_in_4bit": True} if quantised else {"adapter": "lora"}
    plan = make_plan(load(make_recipe(parity={"check": True}, axolotl=axolotl, serve={"live": live})))
    assert ("parity_served" in {step.name for step in plan.steps}) is seen


def test_the_verb_passes_over_an_export_that_has_not_been_made(checked: RunOf, capfd: pytest.CaptureFixture[str]) -> None:
    run = checked('export={"gguf": "Q8_0"}')
    execute(run, Choice(only=("prepare", "ledger", "train", "merge")))
    assert main(["parity", str(run.recipe.file), "--runs", str(run.paths.root), "--set", 'export={"gguf": "Q8_0"}']) == 0
    assert "holds" in capfd.readouterr().err
