"""The packages that a recipe needs besides Axolotl's own, and the compiler behind Triton."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from lorewright import envs
from lorewright.preflight.checks import of_training
from lorewright.preflight.launcher import launcher
from lorewright.preflight.tools import needs, tools
from tests.preflight.conftest import WantedOf

LIGER = "axolotl.integrations.liger.LigerPlugin"
ALL = ("bitsandbytes", "triton", "liger_kernel", "flash_attn")


@pytest.fixture
def site(fake_tools: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A train environment that is built, with all that a recipe may want."""
    monkeypatch.setenv("LOREWRIGHT_ACCELERATOR", "cuda")
    folder = envs.locate("train").path / "lib" / "python3.11" / "site-packages"
    for package in ALL:
        (folder / package).mkdir(parents=True)
    return folder


def have(name: str) -> None:
    """As `./lorewright envs add` leaves it."""
    place = envs.locate("train").path / "extras" / name
    place.mkdir(parents=True)
    (place / "added.json").write_text(json.dumps({"name": name, "version": "1", "how": "here"}))


@pytest.mark.parametrize(
    ("accelerator", "keys", "packages"),
    [
        ("cuda", {}, {"triton"}),
        ("cuda", {"lora_mlp_kernel": False, "lora_qkv_kernel": False, "lora_o_kernel": False}, set()),
        ("cuda", {"load_in_8bit": True}, {"bitsandbytes"}),
        ("cuda", {"load_in_4bit": True, "adapter": "qlora", "plugins": [LIGER]}, {"bitsandbytes", "triton", "liger_kernel"}),
        ("cuda", {"optimizer": "paged_adamw_8bit", "attn_implementation": "flash_attention_2"}, {"bitsandbytes", "triton", "flash_attn"}),
        ("cuda", {"optimizer": "ao_adamw_8bit", "adapter": None}, set()),
        ("cuda", {"attn_implementation": "flex_attention", "adapter": None}, {"triton"}),
        ("cpu", {"plugins": [LIGER], "optimizer": "paged_adamw_8bit"}, set()),
        ("cpu", {"load_in_4bit": True, "adapter": "qlora"}, {"bitsandbytes"}),
    ],
)
def test_what_the_recipes_keys_mean(wanted_of: WantedOf, accelerator: str, keys: dict[str, Any], packages: set[str]) -> None:
    assert set(needs(wanted_of(accelerator, **keys))) == packages


def test_all_is_there(site: Path, wanted_of: WantedOf) -> None:
    found = tools(wanted_of(load_in_4bit=True, adapter="qlora", plugins=[LIGER], attn_implementation="flash_attention_2"))
    assert [(one.state, one.name) for one in found] == [("ok", "tools"), ("ok", "compiler")]
    assert found[0].said == "bitsandbytes, flash_attn, liger_kernel, triton"


@pytest.mark.parametrize("package", ["bitsandbytes", "triton", "liger_kernel"])
def test_a_package_that_is_missing(site: Path, wanted_of: WantedOf, package: str) -> None:
    (site / package).rmdir()
    found = tools(wanted_of(load_in_4bit=True, adapter="qlora", plugins=[LIGER]))[0]
    assert (found.state, found.said.split(",")[0]) == ("bad", f"the train environment has no {package}")
    assert "./lorewright envs build train" in found.remedy


def test_attention_that_is_not_installed(site: Path, wanted_of: WantedOf) -> None:
    (site / "flash_attn").rmdir()
    wanted = wanted_of(attn_implementation="flash_attention_2")
    found = tools(wanted)[0]
    assert (found.state, found.name, found.remedy) == ("warn", "attention", "./lorewright envs add flash-attn")
    assert found.said == "the train environment has no flash_attn; sdpa is taken instead"
    have("flash-attn")
    assert (tools(wanted)[0].state, tools(wanted)[0].said) == ("ok", "flash_attn, triton"), "it was added beside the environment"
    assert tools(wanted_of(attn_implementation="sage"))[0].said == "attn_implementation sage wants sageattention, which the train environment does not have"  # fmt: skip


def test_before_the_environment_is_built_its_requirements_tell(
    fake_tools: Path, wanted_of: WantedOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOREWRIGHT_ACCELERATOR", "cuda")
    found = tools(wanted_of(load_in_4bit=True, adapter="qlora", plugins=[LIGER]))
    assert found[0].said == "bitsandbytes, liger_kernel, triton"
    missing = tools(wanted_of(plugins=["axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin"]))[0]
    assert (missing.state, missing.remedy) == ("bad", "leave it out of axolotl:")


def test_triton_wants_a_compiler_and_pythons_headers(
    site: Path, wanted_of: WantedOf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    found = tools(wanted_of())[-1]
    assert (found.state, "apt install python3-dev" in found.remedy) == ("bad", True)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = tools(wanted_of())[-1]
    assert (found.state, found.said) == ("bad", "Triton's kernels want a C compiler, and there is no gcc or clang")
    assert tools(wanted_of("cpu"))[-1:] == []


def test_experts_are_quantised_on_a_card_alone(site: Path, wanted_of: WantedOf) -> None:
    keys = {"quantize_moe_experts": True, "adapter": "qlora", "load_in_4bit": True, "lora_target_linear": False}
    assert [one.state for one in tools(wanted_of("cpu", **keys))] == ["ok", "bad"]
    assert "bad" not in [one.state for one in tools(wanted_of("cuda", **keys))]


@pytest.mark.parametrize(
    ("part", "axolotl", "said"),
    [
        ({"devices": 2}, {}, ("cards", "train.devices is 2, and 1 card is visible")),
        ({"launcher": "ray"}, {}, ("launcher", "train.launcher ray needs ray, which is not in the train environment")),
        ({}, {"deepspeed": {"zero_optimization": {"stage": 2}}}, ("launcher", "axolotl.deepspeed needs deepspeed, which is not in the train environment")),
    ],
)  # fmt: skip
def test_what_would_keep_it_from_being_launched_is_known_before(
    fake_tools: Path, card: Path, wanted_of: WantedOf, part: dict[str, Any], axolotl: dict[str, Any], said: tuple[str, str]
) -> None:
    wanted = wanted_of(recipe={"train": part}, **axolotl)
    bad = [(one.name, one.said) for one in of_training(wanted) if one.name in ("cards", "launcher")]
    assert bad == [said]
    have("ray")
    have("deepspeed")
    assert [one.name for one in of_training(wanted) if one.name in ("cards", "launcher")] == [said[0]] * ("devices" in part)
    assert list(launcher(wanted_of("cpu", recipe={"train": part}, **axolotl))) == [], "without a card one process trains"


def test_a_compiler_that_the_export_will_want_is_missed_before_the_training(
    wanted_of: WantedOf, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lorewright.compiling.shutil.which", lambda name: None)
    for name in ("CC", "CXX"):
        monkeypatch.delenv(name, raising=False)
    exporting = wanted_of(recipe={"export": {"gguf": "F16"}})
    found = [one for one in tools(exporting) if "export" in one.text]
    assert [one.state for one in found] == ["warn"]
    assert found[0].text.startswith("the export will fail: llama-cpp-python is compiled here, and gcc and g++ are missing; install a C")
    assert not [one for one in tools(wanted_of()) if "export" in one.text]
