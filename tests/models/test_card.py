"""The model card is what hubs read, names no path of this machine, and its first example is code that runs."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from lorewright.models.card import adapter_card, merged_card
from lorewright.models.export.card import exported_card

LINEAGE: dict[str, Any] = {
    "name": "pears", "base_model": "org/Model-8B", "on_hub": True, "commit": "0123456789abcdef", "adapter": "qlora", "rank": 48, "language": "de",
    "system_prompt": "You are a fiction writer.\n\nStay in this voice | always.", "template": "chat_template.jinja",
    "set": {"training": 1204, "validation": 96, "tokens": 812_345, "format": "passages", "documents": ["one.md", "<b>two*.md"], "more": 3,
            "hashes": {"training.jsonl": "ab" * 32, "validation.jsonl": "cd" * 32}},
    "method": [["base model", "org/Model-8B"], ["learning rate", "0.0002, cosine"]], "memory": [], "took": [["time", "2.1 h in all"]],
    "verdict": "The loss fell.", "results": [["held-out text, at the end", "3.100", "22.2"]],
    "recipe": {"file": "pears.yaml", "sha256": "ef" * 32}, "fingerprint": "e52796c46ca01387", "versions": {"lorewright": "0.1", "peft": "0.20.0"},
}  # fmt: skip


def head(card: str) -> dict[str, Any]:
    """As the hub's own library reads it."""
    read = ModelCard(card)
    assert read.text.strip()
    found: dict[str, Any] = read.data.to_dict()
    assert found == yaml.safe_load(card.split("---")[1])
    return found


@pytest.mark.req("F4")
def test_an_adapters_head_is_what_the_hub_reads() -> None:
    assert head(adapter_card(LINEAGE)) == {
        "base_model": "org/Model-8B", "base_model_relation": "adapter", "language": ["de"], "library_name": "peft", "pipeline_tag": "text-generation",
        "tags": ["lorewright", "axolotl", "qlora", "base_model:adapter:org/Model-8B"],
    }  # fmt: skip


@pytest.mark.req("F5")
def test_a_merged_models_head_names_it_a_whole_model() -> None:
    found = head(merged_card(LINEAGE))
    assert (found["library_name"], found["base_model_relation"], found["tags"]) == (
        "transformers",
        "finetune",
        ["lorewright", "axolotl", "qlora"],
    )


def test_a_base_model_in_a_folder_is_no_name_of_the_hubs() -> None:
    card = adapter_card(LINEAGE | {"base_model": "starter", "on_hub": False, "commit": None, "language": None})
    assert not {"base_model", "base_model_relation", "language"} & set(head(card))
    assert 'base = "path/to/starter"' in card and "A LoRA adapter for starter." in card


def test_everything_that_made_it_is_named() -> None:
    card = adapter_card(LINEAGE)
    for said in (
        "| trained | 1,204 |", "812,345", "- one.md", "- &lt;b&gt;two\\*.md", "- and 3 more", "pears.yaml, SHA-256 `" + "ef" * 32, "`e52796c46ca01387`",
        "| training.jsonl | SHA-256 `" + "ab" * 32, "org/Model-8B at commit `0123456789abcdef`", "--max-lora-rank 64 --lora-modules pears=FOLDER",
        'revision="0123456789abcdef"', "> You are a fiction writer.\n>\n> Stay in this voice \\| always.", "2.1 h in all", "peft 0.20.0", "3.100",
    ):  # fmt: skip
        assert said in card, said


def test_the_same_adapter_merged_again_gives_the_same_card() -> None:
    assert merged_card(LINEAGE) == merged_card(LINEAGE | {"took": [["time", "3.0 h in all"]]})


def test_without_a_system_prompt_or_results_nothing_is_said_of_them() -> None:
    card = adapter_card(LINEAGE | {"system_prompt": "", "results": [], "template": None})
    assert "system prompt" not in card and "perplexity" not in card and "chat template" not in card


def test_the_examples_are_python() -> None:
    for card in (adapter_card(LINEAGE), merged_card(LINEAGE)):
        assert ast.parse(card.split("```python\n")[1].split("```")[0]).body


def test_a_card_without_blank_gaps(tmp_path: Path) -> None:
    """Three line ends in a row are an empty place where something was left out."""
    for lineage in (LINEAGE, LINEAGE | {"system_prompt": "", "results": [], "template": None, "memory": ["a -> b"]}):
        for card in (adapter_card(lineage), merged_card(lineage)):
            assert "\n\n\n" not in card


EXPORT: dict[str, Any] = {
    "files": {"pears-Q4_K_M.gguf": {"type": "Q4_K_M", "bytes": 4_900_000_000, "sha256": "12" * 32},
              "pears-F16.gguf": {"type": "F16", "bytes": 16_000_000, "sha256": "34" * 32}},
    "llama-cpp-python": "0.3.36", "ollama": "pears", "answers": {"Q4_K_M": "I am | <b>late</b>."},
}  # fmt: skip


@pytest.mark.req("S4")
def test_an_exports_card_names_files_origin_and_verdict() -> None:
    card = exported_card("pears", "merged", LINEAGE | {"licence": "llama3.1 (its LICENSE)"}, EXPORT, parity="the same in 99 of 100 places")
    assert head(card) == {
        "base_model": "org/Model-8B", "base_model_relation": "quantized", "language": ["de"], "library_name": "gguf",
        "pipeline_tag": "text-generation", "tags": ["lorewright", "gguf", "llama.cpp"],
    }  # fmt: skip
    for line in (
        f"| pears-Q4_K_M.gguf | Q4_K_M | 4.9 GB | `{'12' * 32}` |", f"| pears-F16.gguf | F16 | 16 MB | `{'34' * 32}` |",
        "Compared with the model that was trained: the same in 99 of 100 places", "> You are a fiction writer.", "ollama create pears -f Modelfile",
        "| Q4_K_M | I am \\| &lt;b&gt;late&lt;/b&gt;. |", "| its licence, as its own card names it | llama3.1 (its LICENSE) |", "llama-cpp-python 0.3.36",
    ):  # fmt: skip
        assert line in card
    assert "\n\n\n" not in card and "2.1 h" not in card
    unknown = exported_card("pears", "other", {}, EXPORT | {"ollama": None, "answers": {}})
    assert "Nothing is known here" in unknown and "Ollama, in this folder" not in unknown and "base_model" not in head(unknown)
