"""Ollama's Modelfile: the GGUF file, its template in Go's language, its stop words, sampling and system prompt.

(https://docs.ollama.com/modelfile)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.manifest import read_json
from lorewright.models.ends import end_tokens, token_texts
from lorewright.models.export.go_template import go_template
from lorewright.models.export.turns import NoSchemeError, scheme_of
from lorewright.models.rendering import ChatTemplate, template_of

# vLLM's and transformers' names of sampling -> Ollama's.
SAMPLING = {
    "temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "min_p": "min_p", "repetition_penalty": "repeat_penalty",
    "presence_penalty": "presence_penalty", "frequency_penalty": "frequency_penalty",
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What the recipe says. name: of the model in Ollama. sampling: vLLM's names. context: tokens; 0 leaves it to Ollama.

    settings: variables of the chat template, as trained with and served, such as enable_thinking.
    """

    name: str
    file: str
    system: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    context: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)


def modelfile(model: Path, about: Mapping[str, Any], asked: Asked) -> str:
    """The Modelfile of a GGUF file that was made of the model's folder. about: what the file says of itself (workers/describe_gguf.py).

    Raises LorewrightError for a chat template that cannot be written in Go's language, or a system prompt that a Modelfile cannot hold.
    """
    found = template_of(model)
    template = replace(found, named={**found.named, **asked.settings})
    bos = str(about.get("bos", "")) if about.get("add_bos") else ""
    try:
        written = go_template(template, bos)
        stops = stop_words(model, template)
    except NoSchemeError as problem:
        raise LorewrightError(
            f"no Ollama template can be written from this chat template: {problem}" if template.text else "the model has no chat template",
            where=str(model),
            remedy="set chat_template, such as configs/templates/chatml.jinja, before training; or leave export.ollama out: llama.cpp's "
            "server and LM Studio read the template in the GGUF file",
        ) from None
    lines = [
        "# Written by lorewright. Use it where this file lies:",
        f"#   ollama create {asked.name} -f Modelfile && ollama run {asked.name}",
        f"FROM ./{asked.file}",
        f'TEMPLATE """{written}"""',
        *(f"PARAMETER stop {_quoted(word)}" for word in stops),
        *(f"PARAMETER {name} {value}" for name, value in _parameters(model, asked)),
    ]
    if asked.system.strip():
        lines.append(f"SYSTEM {_system(asked.system.strip())}")
    return "\n".join(lines) + "\n"


def stop_words(model: Path, template: ChatTemplate) -> list[str]:
    """What ends an answer, as text: the model's end tokens, and what the template writes after an answer where that holds none of them."""
    settings = read_json(model / "generation_config.json") or {}
    given = settings.get("eos_token_id", ())
    texts = token_texts(model)
    ids = [*(given if isinstance(given, list) else [given]), *end_tokens(model)]
    words = list(dict.fromkeys(texts[number] for number in ids if number in texts))
    scheme = scheme_of(template)
    if not any(word in scheme.assistant.after for word in words):
        words.append((scheme.assistant.after + scheme.user.before).strip())
    return [word for word in words if word]


def _parameters(model: Path, asked: Asked) -> Iterator[tuple[str, Any]]:
    """The model's own sampling, over it what is known of its family and what the recipe says."""
    settings = read_json(model / "generation_config.json") or {}
    values = {key: settings[key] for key in SAMPLING if settings.get(key) is not None} | dict(asked.sampling)
    if settings.get("do_sample") is False and "temperature" not in asked.sampling:
        values["temperature"] = 0
    for key, name in SAMPLING.items():
        if values.get(key) is not None:
            yield name, values[key]
    if asked.context:
        yield "num_ctx", asked.context


def _quoted(text: str) -> str:
    return f'"""{text}"""' if '"' in text or "\n" in text else f'"{text}"'


def _system(text: str) -> str:
    if '"""' in text:
        raise LorewrightError('the system prompt holds """, which a Modelfile cannot hold', remedy="write data.system_prompt without it")
    return f'"""{text}"""'
