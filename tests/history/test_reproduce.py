"""`reproduce` makes a run again without touching it, says what keeps it from that, and its exit status says how it came out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lorewright.history.again import recipe_as_it_was
from lorewright.history.kept import Kept
from lorewright.history.verdict import checks, summary
from lorewright.plan import make_plan
from lorewright.recipe import Recipe, load
from lorewright.smoke import small_of
from tests.conftest import REPO, MakeRecipe
from tests.history.conftest import Said
from tests.test_runner import calls

KeptRun = Callable[..., Kept]


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """All that a recipe's results are, what was made again apart."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and "reproduced" not in path.relative_to(folder).parts)
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def test_a_run_is_made_again_beside_its_results(make_recipe: MakeRecipe, kept_run: KeptRun, said: Said, fake_tools: Path) -> None:
    file = make_recipe()
    kept = kept_run(file, "axolotl.lora_r=4")
    file.write_text(file.read_text().replace("lora_r: 8", "lora_r: 2"))
    before = files(kept.home)
    code, out, err = said("reproduce", "small")
    assert code == 0, out
    assert [line for line in out.splitlines() if line.startswith("  ")] == [
        "  extract  the same, byte for byte",
        "  prepare  the same, byte for byte",
        "  ledger   the same, byte for byte",
        "  train    the same weights, bit for bit",
        "  merge    the same weights, bit for bit",
    ]
    assert "\nreproduced, bit for bit\n" in out and "skipped" not in err and "inputs    " in err and "versions  as they were" in err
    assert files(kept.home) == before, "what was there is as it was"
    place = kept.home / "reproduced" / kept.run
    assert "lora_r: 4" in (next(place.glob("small/train/*")) / "axolotl.yaml").read_text(), "as it was, overrides included"
    verdict = json.loads((place / "verdict.json").read_text())
    assert verdict["reproduced"] is True and Path(verdict["again"]).is_file()
    _, out, _ = said("diff", kept.run, verdict["again"])
    assert out.splitlines()[-1].startswith(("equal: recipe, data, versions, hardware, results", "the two runs are equal"))


def test_what_has_changed_is_named_and_nothing_is_run(make_recipe: MakeRecipe, kept_run: KeptRun, said: Said, fake_tools: Path, tmp_path: Path,
                                                      capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    kept = kept_run(make_recipe())
    texts, before = tmp_path / "texts", fake_tools.read_text()
    (texts / "0.txt").write_text("Another scene. " * 200)
    (texts / "1.txt").unlink()
    (texts / "9.txt").write_text("A new scene. " * 200)
    (tmp_path / "base" / "config.json").write_text("{}")
    code, _, err = said("reproduce", "small")
    assert code == 1
    assert err.splitlines()[0] == f"{kept.run}: what this run has read is not as it was, so nothing is run:"
    named = [line.strip().partition(":")[0] for line in err.splitlines()[1:]]
    assert named == ["texts/0.txt has changed", "texts/1.txt is gone", "texts/9.txt is new", "base/config.json has changed"]
    for file in texts.iterdir():
        file.unlink()
    texts.rmdir()
    code, _, err = said("reproduce", "small")
    assert code == 1 and "data.sources[0]" in err and "no such file or folder" in err
    assert fake_tools.read_text() == before


@pytest.mark.parametrize(
    ("loss", "code", "verdict"), [("4.52", 0, "reproduced, its losses within 2.00%"), ("4.7", 1, "not reproduced: train")]
)
def test_other_weights_are_judged_by_their_losses(loss: str, code: int, verdict: str, make_recipe: MakeRecipe, kept_run: KeptRun, said: Said,
                                                  fake_tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    kept = kept_run(make_recipe())
    _other_weights(kept)
    monkeypatch.setenv("FAKE_EVAL_LOSS", loss)
    found, out, _ = said("reproduce", "small")
    assert (found, verdict in out) == (code, True), out
    assert f"eval_loss 4.5 → {loss} (" in out and "2.00% allowed" in out
    monkeypatch.setenv("FAKE_EVAL_LOSS", "4.5")
    again, out, _ = said("reproduce", "small", "--tolerance", "0", "--json")
    assert again == 0 and json.loads(out)["reproduced"] is True, "a finished one is made anew"
    assert (kept.home / "reproduced" / f"{kept.run}-2").is_dir()


def _other_weights(kept: Kept) -> None:
    """As if the run had been made on another card."""
    record = json.loads(kept.file.read_text())
    for stage, name in (("train", "adapter/adapter_model.safetensors"), ("merge", "merged/model.safetensors")):
        assert name in record["steps"][stage]["outputs"]
        record["steps"][stage]["outputs"][name] = "0" * 64
    kept.file.write_text(json.dumps(record))


def test_another_training_set_is_no_reproduction(make_recipe: MakeRecipe, kept_run: KeptRun, said: Said, fake_tools: Path) -> None:
    kept = kept_run(make_recipe())
    record = json.loads(kept.file.read_text())
    record["lorewright"] = "0.0.9"
    record["steps"]["ledger"]["environment"] = "train-0123456789ab"
    record["steps"]["prepare"] |= {"digest": "0" * 16, "version": 4}
    record["steps"]["prepare"]["outputs"]["training.jsonl"] = "0" * 64
    kept.file.write_text(json.dumps(record))
    code, out, err = said("reproduce", kept.run)
    assert code == 1
    assert (
        "  prepare  differs: training.jsonl\n" in out and "not reproduced: prepare; not with the same versions: lorewright 0.0.9 → " in out
    )
    assert "versions  not as they were: lorewright 0.0.9 → " in err and "environment train-0123456789ab → train-" in err
    assert "lorewright's prepare: version 4 → 5" in err


def test_one_that_was_cut_off_goes_on(make_recipe: MakeRecipe, kept_run: KeptRun, said: Said, fake_tools: Path,
                                      monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    kept = kept_run(make_recipe())
    monkeypatch.setenv("FAKE_AXOLOTL", "die 2")
    code, _, _ = said("reproduce", "small")
    assert code == 1
    monkeypatch.delenv("FAKE_AXOLOTL")
    code, out, err = said("reproduce", "small")
    assert code == 0 and "train     goes on from step 2" in err
    assert "train    other weights; final_loss" in out, "the stand-in writes others when it goes on"
    assert "eval_loss 4.5 → 4.5 (0.00% apart" in out
    assert [folder.name for folder in (kept.home / "reproduced").iterdir()] == [kept.run]
    assert [call["argv"][0] for call in calls(fake_tools)].count("train") == 3


def test_what_cannot_be_made_again_is_said(make_recipe: MakeRecipe, kept_run: KeptRun, said: Said, fake_tools: Path) -> None:
    kept = kept_run(make_recipe())
    record = json.loads(kept.file.read_text())
    for stages, reason in (
        (
            ["train", "merge"],
            "its train was made of an older prepare, which does not belong to its recipe; name the run that made all of it",
        ),
        ([], "this run has made nothing that can be made again and compared"),
    ):
        kept.file.write_text(json.dumps(record | {"steps": {stage: record["steps"][stage] for stage in stages}}))
        code, _, err = said("reproduce", "small")
        assert code == 1 and err.strip() == f"{kept.run}: {reason}"


def test_examples_that_an_api_wrote_are_not_asked_for_again(make_recipe: MakeRecipe, tmp_path: Path, said: Said) -> None:
    asked = {"job": "qa", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    recipe = load(make_recipe(data={"sources": ["texts"], "format": "qa", "augment": asked}))
    manifest = tmp_path / "runs" / "small" / "manifests" / "20261122T010203.004-5.json"
    manifest.parent.mkdir(parents=True)
    steps = {"extract": {"action": "made"}, "prepare": {"action": "made"}}
    manifest.write_text(json.dumps({"recipe": recipe.resolved, "plan": list(steps), "steps": steps}))
    code, _, err = said("reproduce", "small")
    assert code == 1 and "a model wrote the examples of this run" in err


@pytest.mark.parametrize("name", sorted(file.name for file in (REPO / "configs").glob("*.yaml")))
def test_every_recipe_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    """Written with all its values and read again it is the same recipe."""
    recipe = load(REPO / "configs" / name)
    whole = back(recipe, tmp_path)
    assert dict(whole.resolved) == {key: value for key, value in recipe.resolved.items() if key != "extends"}
    assert make_plan(whole) == make_plan(recipe)
    if recipe.data:
        small = small_of(recipe).recipe
        assert make_plan(back(small, tmp_path)) == make_plan(small)


def back(recipe: Recipe, folder: Path) -> Recipe:
    kept = Kept(folder / recipe.name / "manifests" / "run.json", {"recipe": json.loads(json.dumps(recipe.resolved))})
    return recipe_as_it_was(kept, folder / recipe.name)


def records(steps: int, loss: float, weights: str) -> dict[str, Any]:
    """The records of two stages."""
    train = {"outputs": {"adapter/adapter_model.safetensors": weights}, "facts": {"figures": {"steps": steps, "eval_loss": loss}}}
    return {"train": train, "merge": {"outputs": {"merged/model.safetensors": weights}}}


@pytest.mark.parametrize(
    ("again", "good"),
    [
        (records(22, 3.604, "aa"), True),
        (records(22, 3.604, "bb"), True),
        (records(22, 3.604 * 1.019, "bb"), True),
        (records(22, 3.604 * 0.979, "bb"), False),
        (records(21, 3.604, "bb"), False),
        (records(22, 3.604, "aa") | {"merge": {"outputs": {"merged/model.safetensors": "bb"}}}, False),
        ({"train": {"outputs": {"adapter/adapter_model.safetensors": "bb"}}, "merge": {}}, False),
    ],
)
def test_a_training_is_judged_by_weights_then_figures(again: dict[str, Any], good: bool) -> None:
    assert summary(checks(records(22, 3.604, "aa"), again, 0.02), 0.02)[0] is good


def test_nothing_known_is_not_the_same() -> None:
    assert not any(check.within for check in checks({"prepare": {}, "train": {}}, {"prepare": {}, "train": {}}, 0.02))


def test_a_wrong_tolerance_is_wrong_usage(said: Said) -> None:
    with pytest.raises(SystemExit, match="2"):
        said("reproduce", "small", "--tolerance", "5")
