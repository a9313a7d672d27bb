"""A model's folder: whole, or what is wrong with it, from headers alone."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path

import pytest

from lorewright.preflight.base_model import base_model
from lorewright.preflight.template import template
from lorewright.recipe import load
from tests.conftest import REPO, MakeRecipe
from tests.weights import eight_billion, write_model

TWO = ({"model.a.weight": (64, 32)}, {"model.b.weight": (32, 64)})


def said(folder: Path) -> tuple[str, str]:
    found = base_model(str(folder))[1]
    return found.state, found.text


def test_the_starter_is_whole_and_its_parameters_are_counted() -> None:
    model, found = base_model(str(REPO / "models" / "starter"))
    assert (found.state, model.template) == ("ok", True)
    assert 17_000_000 < model.parameters < 17_100_000
    assert model.stored == (REPO / "models" / "starter" / "model.safetensors").stat().st_size


def test_sixteen_gigabytes_are_looked_at_in_a_moment(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "base", eight_billion())
    begun = time.monotonic()
    model, found = base_model(str(folder))
    assert time.monotonic() - begun < 0.5
    assert (found.state, model.parameters) == ("ok", 8_030_261_248)
    assert found.said.endswith("whole (15.0 GiB)")


@pytest.mark.req("P6")
def test_what_is_missing_or_cut_off_is_named(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "base", *TWO)
    assert said(folder)[0] == "ok"
    second = folder / "model-00002-of-00002.safetensors"
    whole = second.read_bytes()
    second.write_bytes(whole[:-1])
    assert said(folder) == (
        "bad",
        f"{folder}: model-00002-of-00002.safetensors has {len(whole) - 1:,} bytes, and its header says {len(whole):,}; "
        "fetch or copy it again: a copy that was broken off leaves such files",
    )
    second.write_bytes(whole[:20])
    assert "was cut off in its header" in said(folder)[1]
    second.write_bytes(b"")
    assert "has 0 bytes" in said(folder)[1]
    second.unlink()
    assert "model-00002-of-00002.safetensors is missing" in said(folder)[1]
    (folder / "model.safetensors.index.json").write_text('{"weight_map": ')
    assert "model.safetensors.index.json cannot be read" in said(folder)[1]


def test_all_faults_of_a_folder_come_in_one_line(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "base")
    (folder / "config.json").write_text('{"architectures": []')
    (folder / "tokenizer.json").write_text("{")
    (folder / "model.safetensors").unlink()
    assert said(folder)[1].startswith(
        f"{folder}: config.json cannot be read, tokenizer.json cannot be read, there are no weights (model.safetensors, or an index"
    )
    for file in folder.iterdir():
        file.unlink()
    assert said(folder)[1].startswith(f"{folder}: config.json is missing, there is no tokenizer (tokenizer.json), there are no weights")
    write_model(folder)
    (folder / "config.json").write_text("{}")
    assert "config.json names no model_type" in said(folder)[1]


def test_weights_of_torchs_own_kind(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "base")
    (folder / "model.safetensors").unlink()
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as archive:  # what torch.save writes
        archive.writestr("archive/data.pkl", b"0" * 500)
    assert said(folder)[0] == "ok"
    data = (folder / "pytorch_model.bin").read_bytes()
    (folder / "pytorch_model.bin").write_bytes(data[: len(data) // 2])
    assert "pytorch_model.bin was cut off" in said(folder)[1]


@pytest.mark.req("P4")
@pytest.mark.parametrize(
    ("given", "own", "form", "state", "text"),
    [
        ("{{ messages }}", None, "passages", "ok", "the model's own"),
        (None, None, "passages", "bad", "base has no chat template, and format passages is made of turns; set chat_template in the recipe"),
        (None, None, "pairs", "ok", "none; what is trained is plain text"),
        (None, "{{ messages }}", "passages", "ok", "own.jinja"),
        ("{{ messages }}", "{% if %}", "passages", "bad", "own.jinja:1: the chat template cannot be used"),
    ],
)
def test_a_format_of_turns_needs_a_template(
    make_recipe: MakeRecipe, tmp_path: Path, given: str | None, own: str | None, form: str, state: str, text: str
) -> None:
    folder = write_model(tmp_path / "base", template=given)
    (tmp_path / "rows.jsonl").write_text(json.dumps({"prompt": "a", "completion": "b"}))
    data: dict[str, object] = {"sources": ["rows.jsonl" if form == "pairs" else "texts"], "format": form}
    data |= {"pairs": {"max_tokens": 128, "context_keep": 16}} if form == "pairs" else {}
    if own:
        (tmp_path / "own.jinja").write_text(own)
    file = make_recipe(data=data, chat_template=own and "own.jinja")
    write_model(folder, template=given)  # the recipe's maker has written its own
    (found,) = template(load(file), base_model(str(folder))[0])
    assert found.state == state
    assert text in found.text
