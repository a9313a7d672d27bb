"""The base model made into NF4 within a run, with a stand-in for Axolotl: made once, shared, trained from, and never merged into."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lorewright.errors import LorewrightError
from lorewright.manifest import read_json, write_json, write_whole
from lorewright.plan import IN_NF4
from lorewright.runner import Choice, execute
from lorewright.serving.as_trained import Wishes, as_trained
from lorewright.stages import Run
from lorewright.stages.train import _tell_moved
from tests.models.nf4.mxfp4_model import write_gpt_oss

pytestmark = pytest.mark.req("Z4")
RunOf = Callable[..., Run]
AXOLOTL = {"adapter": "qlora", "load_in_4bit": True, "quantize_moe_experts": True, "micro_batch_size": 1, "num_epochs": 1}
TRAINED = Choice(only=("prepare", "train"))


@pytest.fixture
def recipe(make_recipe: Callable[..., Path], tiny_model: Path, tmp_path: Path, fake_tools: Path) -> Callable[..., Path]:
    """Recipes of one base model in MXFP4."""
    base = write_gpt_oss(tmp_path / "mxfp4", tokenizer=tiny_model)
    return lambda name="small", **more: make_recipe(name, base_model=str(base), convert="nf4", axolotl=AXOLOTL, **more)


def config(run: Run, stage: str) -> Any:
    return yaml.safe_load((run.done[stage] / "axolotl.yaml").read_text())


def test_the_training_starts_from_what_was_converted_and_the_ledger_from_the_original(recipe: Callable[..., Path], run_of: RunOf) -> None:
    run = run_of(recipe())
    execute(run, TRAINED)
    folder = run.done["convert"] / IN_NF4
    assert folder.parent.parent == run.paths.root / "models"
    assert read_json(folder / "config.json")["quantization_config"]["bnb_4bit_quant_type"] == "nf4"
    train = config(run, "train")
    assert (train["base_model"], train["load_in_4bit"], "quantize_moe_experts" in train) == (str(folder), True, False)
    assert config(run, "ledger")["base_model"] == run.recipe.base_model
    adapter = read_json(run.done["train"] / "adapter" / "adapter_config.json")
    assert adapter["base_model_name_or_path"] == run.recipe.base_model, "the folder in NF4 is a matter of this machine"


def test_the_second_run_and_another_recipe_find_it_made(
    recipe: Callable[..., Path], run_of: RunOf, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second, other = run_of(recipe()), run_of(recipe()), run_of(recipe("other"))
    execute(first, TRAINED)
    capfd.readouterr()
    execute(second, TRAINED)
    assert "convert   unchanged, skipped: 37 tensors; 180,224 weights in NF4" in capfd.readouterr().err
    execute(other, TRAINED)
    assert first.done["convert"] == second.done["convert"] == other.done["convert"]
    assert len([folder for folder in (first.paths.root / "models").iterdir() if folder.is_dir()]) == 1


def test_force_makes_it_anew_and_keeps_one(recipe: Callable[..., Path], run_of: RunOf) -> None:
    run = run_of(recipe())
    execute(run, Choice(only=("convert",)))
    before = (run.done["convert"] / IN_NF4 / "config.json").stat().st_ino
    execute(run_of(recipe()), Choice(only=("convert",), force=True))
    assert (run.done["convert"] / IN_NF4 / "config.json").stat().st_ino != before
    assert [folder.name for folder in (run.paths.root / "models").iterdir() if folder.is_dir()] == [run.done["convert"].name]


def test_one_that_was_cut_off_at_its_very_end_is_not_made_again(
    recipe: Callable[..., Path], run_of: RunOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("lorewright.runner.finish", cut_off)
        with pytest.raises(KeyboardInterrupt):
            execute(run_of(recipe()), Choice(only=("convert",)))
    run = run_of(recipe())
    monkeypatch.setattr("lorewright.models.nf4.folder.convert", cut_off)
    execute(run, Choice(only=("convert",)))
    assert (run.done["convert"] / IN_NF4 / "model.safetensors.index.json").is_file()


@pytest.mark.parametrize(("method", "said"), [("bitsandbytes", "leave `convert` out"), ("gptq", "in 16 bits or in MXFP4")])
def test_what_cannot_be_converted_is_refused(recipe: Callable[..., Path], run_of: RunOf, method: str, said: str) -> None:
    run = run_of(recipe())
    file = Path(run.recipe.base_model) / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"quantization_config": {"quant_method": method}}))
    with pytest.raises(LorewrightError, match=said):
        execute(run, Choice(only=("convert",)))
    assert not (run.paths.root / "models").exists() or not list((run.paths.root / "models").glob("*/nf4*"))


def test_a_base_model_that_has_moved_on_the_hub_is_told(
    make_recipe: Callable[..., Path], run_of: RunOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = run_of(make_recipe(base_model="org/base", convert="nf4", axolotl=AXOLOTL))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    run.done["convert"] = tmp_path / "converted"
    write_json(tmp_path / "converted" / "step.json", {"facts": {"base_model_commit": "aaaa"}})
    for now in ("aaaa", "bbbb"):
        write_whole(tmp_path / "models--org--base" / "refs" / "main", now)
        _tell_moved(run)
    assert [line for line in capfd.readouterr().err.splitlines() if "commit" in line] == [
        f"train     the base model in NF4 is of commit aaaa, the one in the hub's cache of bbbb; "
        f"./lorewright run {run.recipe.file} --only convert --force makes it anew"
    ]


def test_answers_in_4_bit_come_from_it(recipe: Callable[..., Path], run_of: RunOf) -> None:
    run = run_of(recipe())
    wish = Wishes(base_only=True, four_bit=True)
    assert as_trained(run, wish).stored == "", "nothing is converted yet"
    execute(run, Choice(only=("convert",)))
    asked = as_trained(run, wish)
    assert Path(asked.stored) == run.done["convert"] / IN_NF4
    assert asked.settings["base_model"] == run.recipe.base_model, "what was answered earlier is not asked again"
    assert as_trained(run, Wishes(base_only=True, four_bit=False)).stored == ""
