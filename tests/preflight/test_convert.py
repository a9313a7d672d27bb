"""The conversion before it is done: what it takes, what is refused, and a base model that is still on the hub."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lorewright.errors import LorewrightError, RecipeError
from lorewright.models.hub import commit, fetch, snapshot
from lorewright.plan import IN_NF4
from lorewright.preflight.base_model import base_model
from lorewright.preflight.convert import conversion
from lorewright.preflight.disk import needs
from lorewright.recipe import load
from lorewright.runner import Choice, execute
from lorewright.stages import Run
from lorewright.stages.merge import _base
from lorewright.training.forecast.found import find_model
from lorewright.training.forecast.settings import settings_of
from tests.conftest import MakeRecipe
from tests.models.nf4.mxfp4_model import write_gpt_oss
from tests.preflight.conftest import WantedOf
from tests.preflight.hub import Card, Hub

pytestmark = pytest.mark.req("Z4")
KEYS: dict[str, Any] = {"adapter": "qlora", "load_in_4bit": True, "quantize_moe_experts": True}
STARTER = Path(__file__).parents[2] / "models" / "starter"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_gpt_oss(tmp_path / "mxfp4", tokenizer=STARTER)


def test_it_wants_a_training_in_4_bit_of_nf4(make_recipe: MakeRecipe) -> None:
    with pytest.raises(RecipeError, match="convert: a training in 4 bit starts from NF4; add adapter: qlora"):
        load(make_recipe(convert="nf4"))
    other = KEYS | {"bnb_config_kwargs": {"bnb_4bit_quant_type": "fp4"}}
    with pytest.raises(RecipeError, match="bnb_4bit_quant_type: with convert: nf4 it is nf4"):
        load(make_recipe(convert="nf4", axolotl=other))
    assert load(make_recipe(convert="nf4", axolotl=KEYS)).convert == "nf4"


def test_what_will_be_written_is_known_to_the_byte(
    base: Path, wanted_of: WantedOf, run_of: Callable[..., Run], make_recipe: MakeRecipe
) -> None:
    recipe: dict[str, Any] = {"base_model": str(base), "convert": "nf4"}
    wanted, model = wanted_of("cpu", recipe, **KEYS), base_model(str(base))[0]
    assert "quantize_moe_experts" not in wanted.config, "which wants a card"
    foretold = next(need.bytes for need in needs(wanted, model) if need.for_what == "the model in NF4")
    before = conversion(wanted.recipe, wanted.plan, wanted.paths, model)
    assert before and before.state == "ok" and "of NF4 will be made" in before.said
    run = run_of(make_recipe(**recipe, axolotl=KEYS))
    execute(run, Choice(only=("convert",)))
    folder = run.done["convert"] / IN_NF4
    assert foretold == pytest.approx(sum(file.stat().st_size for file in folder.glob("*.safetensors")), rel=0.05)
    after = conversion(run.recipe, run.plan, run.paths, model)
    assert after and after.said == "the base model is there in NF4"
    assert not [need for need in needs(wanted_of("cpu", recipe, **KEYS), model) if need.for_what == "the model in NF4"]


@pytest.mark.parametrize(("method", "said"), [("bitsandbytes", "leave `convert` out"), ("awq", "in 16 bits or in MXFP4")])
def test_doctor_says_what_cannot_be_converted(base: Path, wanted_of: WantedOf, method: str, said: str) -> None:
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": method}}))
    wanted = wanted_of("cpu", {"base_model": str(base), "convert": "nf4"}, **KEYS)
    found = conversion(wanted.recipe, wanted.plan, wanted.paths, base_model(str(base))[0])
    assert found and found.state == "bad" and f"mxfp4 cannot be converted: is quantised already ({method})" in found.said
    assert said in found.remedy


def test_a_training_from_nf4_is_foretold_with_its_experts_in_4_bits(base: Path) -> None:
    plain = find_model(str(base)).shape
    assert not settings_of({"load_in_4bit": True}, plain).experts_quantised
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}))
    assert settings_of({"load_in_4bit": True}, find_model(str(base)).shape).experts_quantised


def test_the_merge_takes_the_original_with_experts_as_they_were_trained(make_recipe: MakeRecipe, run_of: Callable[..., Run]) -> None:
    run = run_of(make_recipe(base_model="org/base@v2", convert="nf4", axolotl=KEYS))
    told = {"base_model": "org/base", "revision_of_model": "v2", "quantize_moe_experts": True}
    assert _base(run, "org/base@v2") == told
    assert _base(run, "org/smaller") == {"base_model": "org/smaller"}, "a model that the ladder fell back to was not converted"


@pytest.fixture
def offered(hub: Hub, base: Path) -> Path:
    """The hub has the base model, with another form of it beside."""
    contents = {file.name: file.read_bytes() for file in base.iterdir()} | {"original/model.safetensors": b"another form"}
    hub.models["org/base"] = Card(
        {name: len(content) for name, content in contents.items()}, contents=contents, revisions=("main", "c0ffee")
    )
    return base


def test_a_base_model_on_the_hub_is_fetched_and_converted(offered: Path, make_recipe: MakeRecipe, run_of: Callable[..., Run]) -> None:
    run = run_of(make_recipe(base_model="org/base", convert="nf4", axolotl=KEYS))
    execute(run, Choice(only=("convert",)))
    there = snapshot("org/base")
    assert there and sorted(file.name for file in there.iterdir()) == sorted(file.name for file in offered.iterdir())
    record = json.loads((run.done["convert"] / "step.json").read_text())
    assert record["facts"]["base_model_commit"] == commit("org/base") == "c0ffee"


def test_a_fetch_that_fails_says_so(hub: Hub, offered: Path) -> None:
    hub.models["org/base"].revisions = ()
    with pytest.raises(LorewrightError, match="org/base could not be fetched from the hub"):
        fetch("org/base")
