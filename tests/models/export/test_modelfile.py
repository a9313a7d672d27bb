"""The Modelfile: what ends an answer, how it is sampled, and what a Modelfile cannot hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lorewright.errors import LorewrightError
from lorewright.models.export.bos import bos_wanted, told
from lorewright.models.export.modelfile import Asked, modelfile
from tests.conftest import REPO
from tests.models.export.test_go_template import CHATML, LLAMA_3
from tests.weights import write_model

STARTER = REPO / "models" / "starter"
ABOUT = {"bos": "<s>", "add_bos": False}


def model(folder: Path, template: str | None, **generation: Any) -> Path:
    write_model(folder, template=template)
    settings = {"chat_template": template, "bos_token": "<s>", "eos_token": {"content": "</s>"}} if template else {}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    tokens = [{"content": text, "id": number, "special": True} for number, text in enumerate(("<s>", "</s>", "<|im_end|>", "<|eot_id|>"))]
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": tokens, "model": {"vocab": {}}}))
    (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder


def parameters(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("PARAMETER "):
            found.setdefault(line.split()[1], []).append(line.split(maxsplit=2)[2])
    return found


@pytest.mark.req("S4")
def test_the_starters_modelfile() -> None:
    text = modelfile(STARTER, ABOUT, Asked("me/voice", "starter-Q4_K_M.gguf", "Be\n\nJosip.", {"temperature": 0.3}, 4096))
    assert text.splitlines()[:3] == [
        "# Written by lorewright. Use it where this file lies:",
        "#   ollama create me/voice -f Modelfile && ollama run me/voice",
        "FROM ./starter-Q4_K_M.gguf",
    ]
    assert text.endswith('SYSTEM """Be\n\nJosip."""\n')
    assert parameters(text) == {"stop": ['"<|im_end|>"', '"</s>"'], "temperature": ["0.3"], "top_p": ["0.95"], "num_ctx": ["4096"]}


def test_the_beginning_is_written_where_the_engine_does_not(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", LLAMA_3)
    asked = Asked("v", "v.gguf")
    assert "<s><|start_header_id|>" in modelfile(folder, ABOUT, asked)
    assert "<s>" not in modelfile(folder, ABOUT | {"add_bos": True}, asked).replace('stop "<s>"', "")


def test_sampling_and_ends_come_from_the_model(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", CHATML, eos_token_id=[1, 3], temperature=0.6, repetition_penalty=1.05, do_sample=True)
    text = modelfile(folder, ABOUT, Asked("v", "v.gguf", sampling={"top_k": 20}))
    assert parameters(text) == {
        "stop": ['"</s>"', '"<|eot_id|>"', '"<|im_end|>"'], "temperature": ["0.6"], "top_k": ["20"], "repeat_penalty": ["1.05"],
    }  # fmt: skip
    assert "SYSTEM" not in text
    greedy = modelfile(model(tmp_path / "g", CHATML, do_sample=False), ABOUT, Asked("v", "v.gguf"))
    assert parameters(greedy)["temperature"] == ["0"]


def test_a_template_without_an_end_token_stops_at_the_next_turn(tmp_path: Path) -> None:
    turns = (
        "{% for m in messages %}{{ m.role + ': ' + m.content + '\n\n' }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    )
    text = modelfile(model(tmp_path / "m", turns), ABOUT, Asked("v", "v.gguf"))
    assert parameters(text)["stop"] == ['"</s>"', '"user:"']


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    for template, why in (
        ("{{ messages }}", "no Ollama template can be written from this chat template: an answer is closed"),
        (None, "has no chat template"),
    ):
        with pytest.raises(LorewrightError, match=why) as told_so:
            modelfile(model(tmp_path / "m", template), ABOUT, Asked("v", "v.gguf"))
        assert "leave export.ollama out" in told_so.value.remedy
    with pytest.raises(LorewrightError, match="which a Modelfile cannot hold"):
        modelfile(STARTER, ABOUT, Asked("v", "v.gguf", 'Say """ now'))


def test_the_template_says_whether_a_chat_begins_with_the_token(tmp_path: Path) -> None:
    assert bos_wanted(model(tmp_path / "a", LLAMA_3)) is True
    assert bos_wanted(model(tmp_path / "b", CHATML)) is False
    assert bos_wanted(model(tmp_path / "c", None)) is None
    assert bos_wanted(STARTER, chats=False) is False, "its tokenizer puts none before plain text"


def test_the_converter_is_told_and_the_model_is_left_as_it_was(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", CHATML)
    before = (folder / "tokenizer_config.json").read_bytes()
    with told(folder, tmp_path, False) as seen:
        assert json.loads((seen / "tokenizer_config.json").read_text()) == json.loads(before) | {"add_bos_token": False}
        assert (seen / "model.safetensors").resolve() == (folder / "model.safetensors").resolve()
    assert not seen.exists()
    assert (folder / "tokenizer_config.json").read_bytes() == before


def test_an_answer_opens_as_it_was_trained_with_the_recipes_settings(tmp_path: Path) -> None:
    """Thinking that is switched off is an empty thought before each answer."""
    asks = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    assert asks in CHATML
    off = "{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    folder = model(tmp_path / "m", CHATML.replace(asks, asks + off))
    assert "<think>" not in modelfile(folder, ABOUT, Asked("v", "v.gguf"))
    assert "assistant\n<think>\n\n</think>\n\n{{" in modelfile(folder, ABOUT, Asked("v", "v.gguf", settings={"enable_thinking": False}))
