"""A merged folder is whole and carries the tokenizer that was trained with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lorewright.errors import LorewrightError
from lorewright.models.merge import check_whole, complete
from tests.weights import Shapes, write_model, write_weights


def model(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).write_text(folder.name)
    return folder


@pytest.mark.req("F5")
def test_the_trained_tokenizer_replaces_the_bases(tmp_path: Path) -> None:
    merged = model(tmp_path / "merged", "tokenizer.json", "chat_template.jinja", "config.json")
    adapter = model(tmp_path / "adapter", "tokenizer.json", "chat_template.jinja", "adapter_model.safetensors")
    complete(merged, adapter)
    assert (merged / "tokenizer.json").read_text() == (merged / "chat_template.jinja").read_text() == "adapter"
    assert (merged / "config.json").read_text() == "merged"
    assert not (merged / "adapter_model.safetensors").exists()


HALVES: tuple[Shapes, Shapes] = ({"model.embed_tokens.weight": (4, 2)}, {"w": (2, 2), "x": (2, 2)})
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
BOTH = HALVES[0] | HALVES[1]


def merged(folder: Path, *shards: Shapes) -> Path:
    write_model(folder, *(shards or (BOTH,)))
    (folder / "generation_config.json").write_text("{}")
    return folder


@pytest.mark.req("F5")
def test_a_whole_folder_is_counted(tmp_path: Path) -> None:
    one, two = merged(tmp_path / "one"), merged(tmp_path / "two", *HALVES)
    assert check_whole(one, BOTH) == {"shards": 1, "bytes": (one / "model.safetensors").stat().st_size}
    assert check_whole(two, BOTH) == {"shards": 2, "bytes": sum((two / name).stat().st_size for name in SHARDS)}
    assert check_whole(two, BOTH | {"model.embed_tokens.weight": (3, 2)}), "a vocabulary may have grown"


def cut(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-1])


def without(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.req("F5")
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (without(SHARDS[1]), f"not whole: {SHARDS[1]} is missing"),
        (cut(SHARDS[0]), rf"{SHARDS[0]} has [\d,]+ bytes, and its header says"),
        (lambda folder: (folder / SHARDS[1]).write_bytes(b"1234567"), f"{SHARDS[1]} has 7 bytes and is no file of weights"),
        (lambda folder: write_weights(folder / SHARDS[1], {"w": (2, 2)}), f"{SHARDS[1]} lacks x"),
        (lambda folder: write_weights(folder / SHARDS[1], {"w": (2, 2), "x": (2, 3)}), "x has another shape than in the base model"),
        (without("model.safetensors.index.json"), "model.safetensors.index.json is missing beside 2 shards"),
        (cut("model.safetensors.index.json"), "model.safetensors.index.json cannot be read"),
        (without("config.json"), "lacks config.json"),
        (cut("config.json"), "config.json cannot be read"),
        (without("generation_config.json"), "lacks generation_config.json"),
        (without("tokenizer.json"), "lacks a tokenizer"),
        (without("tokenizer_config.json"), "lacks tokenizer_config.json"),
        (
            lambda folder: (folder / "config.json").write_text('{"vocab_size": 5}'),
            "config.json says 5 tokens, and the embedding has 4 rows",
        ),
    ],
)
def test_what_is_missing_cut_or_at_odds_is_named(tmp_path: Path, fault: Callable[[Path], object], said: str) -> None:
    folder = merged(tmp_path / "model", *HALVES)
    fault(folder)
    with pytest.raises(LorewrightError, match=said):
        check_whole(folder, BOTH)


def test_a_tensor_of_the_base_that_no_shard_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(LorewrightError, match="1 of the base model's 4 tensors are missing, y the first"):
        check_whole(merged(tmp_path / "model", *HALVES), BOTH | {"y": (1, 1)})


def test_an_empty_folder_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(
        LorewrightError, match="lacks config.json, generation_config.json, tokenizer_config.json, a tokenizer; there is neit"
    ):
        check_whole(tmp_path)


CHATML = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + m['content'] + '<|im_end|>' }}{% endfor %}"
MARKED = CHATML.replace("{{", "{% generation %}{{").replace("}}", "}}{% endgeneration %}")
NEEDY = "{{ strange_function(messages) }}"


@pytest.mark.req("F5")
@pytest.mark.parametrize(
    ("given", "template", "ends"),
    [
        ({"eos_token_id": 0, "temperature": 0.7}, CHATML, [0, 2]),  # a base model's own end, and the template's
        ({"eos_token_id": [7, 2]}, MARKED, [7, 2, 0]),
        (None, CHATML, [0, 2]),
        ({"eos_token_id": 0}, NEEDY, 0),
        ({}, None, 0),
    ],
)
def test_what_ends_an_answer_is_in_the_generation_config(
    tmp_path: Path, given: dict[str, object] | None, template: str | None, ends: object
) -> None:
    folder, adapter = merged(tmp_path / "model"), tmp_path / "adapter"
    (folder / "generation_config.json").unlink()
    if given is not None:
        (folder / "generation_config.json").write_text(json.dumps(given))
    adapter.mkdir()
    tokens = [{"content": "<|end|>", "id": 0}, {"content": "<|im_start|>", "id": 1}, {"content": "<|im_end|>", "id": 2}]
    (adapter / "tokenizer.json").write_text(json.dumps({"added_tokens": [token | {"special": True} for token in tokens]}))
    (adapter / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": "<|end|>"}}))
    if template:
        (adapter / "chat_template.jinja").write_text(template)
    complete(folder, adapter)
    found = json.loads((folder / "generation_config.json").read_text())
    assert found["eos_token_id"] == ends
    assert found.get("temperature") == (given or {}).get("temperature")


def test_weights_that_came_of_a_file_of_torch_get_the_name_that_is_looked_for(tmp_path: Path) -> None:
    folder = merged(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.safetensors")
    (tmp_path / "adapter").mkdir()
    complete(folder, tmp_path / "adapter")
    assert check_whole(folder)["shards"] == 1
