"""A checkpoint's folder to NF4: what it holds, how it goes on after kill -9, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lorewright.errors import BusyError, LorewrightError
from lorewright.models.nf4 import folder as nf4
from lorewright.models.nf4 import quantise
from lorewright.models.nf4.mxfp4 import quantise_experts
from lorewright.models.nf4.statistics import double_quantised
from tests.models.nf4.mxfp4_model import EXPERTS, HIDDEN, INNER, bf16, read_tensors, write_gpt_oss, write_tensors

GATE = "model.layers.1.mlp.experts.gate_up_proj"
DOWN = "model.layers.1.mlp.experts.down_proj"


def silent(done: float, total: float | None, note: str = "") -> None:
    pass


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_gpt_oss(tmp_path / "gpt-oss")


@pytest.mark.req("Z4")
def test_experts_and_linear_layers_become_nf4_and_all_else_stays(source: Path, tmp_path: Path) -> None:
    done = nf4.convert(source, tmp_path / "out", silent)
    before, after = read_tensors(source), read_tensors(tmp_path / "out")
    for name, tensor in before.items():
        if name.endswith(("_blocks", "_scales")) or "_proj.weight" in name:
            assert name.removesuffix("_blocks").removesuffix("_scales") + ".quant_state.bitsandbytes__nf4" in after
        else:
            assert np.array_equal(after[name], tensor), name
    codes, magnitudes = quantise_experts(before[f"{DOWN}_blocks"], before[f"{DOWN}_scales"])
    statistics = double_quantised(magnitudes)
    assert np.array_equal(after[DOWN].reshape(-1), codes)
    assert np.array_equal(after[f"{DOWN}.absmax"], statistics.codes)
    assert np.array_equal(after[f"{DOWN}.nested_absmax"], statistics.absmax)
    state = json.loads(after[f"{DOWN}.quant_state.bitsandbytes__nf4"].tobytes())
    assert state["shape"] == [EXPERTS, INNER, HIDDEN]
    assert (state["dtype"], state["nested_offset"]) == ("bfloat16", statistics.offset.item())
    assert done.values == 2 * (EXPERTS * 3 * INNER * HIDDEN + 4 * HIDDEN * HIDDEN)


@pytest.mark.req("Z4")
def test_config_tokenizer_and_index_are_complete(source: Path, tmp_path: Path) -> None:
    nf4.convert(source, tmp_path / "out", silent)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["quantization_config"]["bnb_4bit_quant_type"] == "nf4"
    assert "model.layers.0.mlp.router" in config["quantization_config"]["llm_int8_skip_modules"]
    assert config["hidden_size"] == HIDDEN
    weights = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())["weight_map"]
    assert set(weights) == set(read_tensors(tmp_path / "out"))
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names == {"config.json", "tokenizer.json", "chat_template.jinja", "model.safetensors.index.json", "nf4.json", *weights.values()}


@pytest.mark.req("Z4")
def test_linear_layers_can_stay(source: Path, tmp_path: Path) -> None:
    nf4.convert(source, tmp_path / "out", silent, experts_only=True)
    after, name = read_tensors(tmp_path / "out"), "model.layers.0.self_attn.q_proj"
    assert np.array_equal(after[f"{name}.weight"], read_tensors(source)[f"{name}.weight"])
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert name in config["quantization_config"]["llm_int8_skip_modules"]


@pytest.mark.req("Z4")
@pytest.mark.parametrize("stop", [1, 4, 9])
def test_goes_on_with_the_tensor_where_it_was_broken_off(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int) -> None:
    nf4.convert(source, tmp_path / "whole", silent)
    out, made = tmp_path / "out", []
    monkeypatch.setattr(nf4, "SHARD", 60_000)
    real = nf4.quantise_item

    def failing(item, *rest):  # type: ignore[no-untyped-def]
        if len(made) == stop:
            raise KeyboardInterrupt
        made.append(item.name)
        return real(item, *rest)

    monkeypatch.setattr(nf4, "quantise_item", failing)
    with pytest.raises(KeyboardInterrupt):
        nf4.convert(source, out, silent)
    assert not out.exists()
    stop = -1
    before = set(made)
    done = nf4.convert(source, out, silent)
    assert not before & set(made[len(before) :]), "what was finished is not made again"
    assert done.continued >= len(before)
    left, right = read_tensors(tmp_path / "whole"), read_tensors(out)
    assert set(left) == set(right)
    assert all(np.array_equal(left[name], right[name]) for name in left)
    assert not (tmp_path / "out.partial").exists()
    assert not (out / ".work").exists()


@pytest.mark.req("Z4")
def test_a_shard_that_is_being_written_is_no_safetensors_file(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(nf4, "quantise_item", stopped)
    with pytest.raises(KeyboardInterrupt):
        nf4.convert(source, tmp_path / "out", silent)
    with pytest.raises(Exception, match="[Hh]eader"):
        read_tensors(tmp_path / "out.partial")


@pytest.mark.req("Z4")
def test_leftovers_of_another_conversion_are_cleaned(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = write_gpt_oss(tmp_path / "other", seed=1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(nf4, "_finish", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        nf4.convert(other, tmp_path / "out", silent)
    (tmp_path / "out.partial" / "stray.bin").write_bytes(b"x")
    done = nf4.convert(source, tmp_path / "out", silent)
    assert done.continued == 0
    assert not (tmp_path / "out" / "stray.bin").exists()
    codes, _ = quantise_experts(read_tensors(source)[f"{GATE}_blocks"], read_tensors(source)[f"{GATE}_scales"])
    assert np.array_equal(read_tensors(tmp_path / "out")[GATE].reshape(-1), codes)


@pytest.mark.req("Z4")
def test_what_stands_there_is_replaced_only_when_told(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(LorewrightError, match="is there already; --overwrite"):
        nf4.convert(source, out, silent)
    assert (out / "mine.txt").read_text() == "keep"
    nf4.convert(source, out, silent, overwrite=True)
    assert not (out / "mine.txt").exists()
    assert (out / "config.json").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gpt-oss", "out"]


@pytest.mark.req("Z4")
def test_two_conversions_into_one_folder_do_not_meet(source: Path, tmp_path: Path) -> None:
    with nf4._alone(tmp_path / "out.partial"), pytest.raises(BusyError, match="another process"):
        nf4.convert(source, tmp_path / "out", silent)


@pytest.mark.req("Z4")
def test_a_tensor_in_many_parts_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random, source = np.random.default_rng(3), tmp_path / "plain"
    source.mkdir()
    tensors = {"layers.0.up_proj.weight": bf16(random.normal(size=(67, 129))), "norm.weight": bf16(np.ones(129))}
    half = random.normal(size=(64, 30)).astype(np.float16)
    write_tensors(source / "model.safetensors", tensors | {"layers.0.down_proj.weight": ("F16", half)})
    (source / "config.json").write_text('{"model_type": "llama"}')
    nf4.convert(source, tmp_path / "one", silent)
    monkeypatch.setattr(quantise, "PART", 640)
    monkeypatch.setattr(quantise, "CACHED", 128)
    nf4.convert(source, tmp_path / "many", silent)
    one, many = read_tensors(tmp_path / "one"), read_tensors(tmp_path / "many")
    assert all(np.array_equal(one[name], many[name]) for name in one)
    codes, magnitudes = quantise.quantise(half.astype(np.float32).reshape(-1))
    assert np.array_equal(many["layers.0.down_proj.weight"].reshape(-1), codes)
    assert np.array_equal(many["layers.0.down_proj.weight.absmax"], double_quantised(magnitudes).codes)


@pytest.mark.req("Z4")
def test_processes_side_by_side_make_the_same(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nf4.convert(source, tmp_path / "one", silent)
    monkeypatch.setattr(quantise, "MANY", 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    nf4.convert(source, tmp_path / "two", silent)
    one, two = read_tensors(tmp_path / "one"), read_tensors(tmp_path / "two")
    assert all(np.array_equal(one[name], two[name]) for name in one)


def cut(source: Path) -> None:
    file = source / "model-00002-of-00002.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def without_scales(source: Path) -> None:
    file = source / "model-00001-of-00002.safetensors"
    file.write_bytes(
        file.read_bytes().replace(b"model.layers.0.mlp.experts.down_proj_scales", b"model.layers.0.mlp.experts.down_proj_scalex")
    )
    index = source / "model.safetensors.index.json"
    index.write_text(index.read_text().replace("layers.0.mlp.experts.down_proj_scales", "layers.0.mlp.experts.down_proj_scalex"))


def quantised_otherwise(source: Path) -> None:
    (source / "config.json").write_text('{"quantization_config": {"quant_method": "gptq"}}')


@pytest.mark.req("Z4")
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, r"model-00002-of-00002.safetensors: has [\d,]+ bytes, and its header says [\d,]+; fetch the model again"),
        (lambda source: (source / "config.json").unlink(), "has no config.json"),
        (lambda source: (source / "model-00002-of-00002.safetensors").unlink(), "no such file of weights"),
        (
            lambda source: (source / "model-00002-of-00002.safetensors").write_text("<html>"),
            "has 6 bytes and is no file of weights",
        ),
        (without_scales, "down_proj_blocks has no scales beside it"),
        (quantised_otherwise, r"is quantised already \(gptq\)"),
    ],
)
def test_what_cannot_be_converted_is_said_before_anything_is_written(
    source: Path, tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    damage(source)
    with pytest.raises(LorewrightError, match=said):
        nf4.convert(source, tmp_path / "out", silent)
    assert [path.name for path in tmp_path.iterdir()] == ["gpt-oss"]


@pytest.mark.req("Z4")
def test_a_full_disk_is_foretold(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10, 10, 1000))  # type: ignore[attr-defined]
    with pytest.raises(LorewrightError, match="are to be written and 0.0 GB are free"):
        nf4.convert(source, tmp_path / "out", silent)


@pytest.mark.req("Z4")
def test_the_verb_converts_and_says_what_it_did(
    lorewright: Callable[..., subprocess.CompletedProcess[str]], source: Path, tmp_path: Path
) -> None:
    done = lorewright("convert", str(source), str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "weights in NF4" in done.stderr
    assert done.stdout.strip().endswith("out")
    again = lorewright("convert", str(source), str(tmp_path / "out"))
    assert again.returncode == 1
    assert "is there already; --overwrite makes it anew" in again.stderr
    missing = lorewright("convert", "openai/gpt-oss-20b", str(tmp_path / "other"))
    assert "is no folder, and no model that is on this machine" in missing.stderr
