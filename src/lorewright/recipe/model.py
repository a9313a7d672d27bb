"""A checked recipe as frozen values. Defaults stand in the schema, not here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Chunk:
    unit: str
    min: int
    max: int
    overlap: int


@dataclass(frozen=True)
class Data:
    sources: tuple[str, ...]
    format: str
    chunk: Chunk
    system_prompt: str
    validation: float
    seed: int


@dataclass(frozen=True)
class Serve:
    host: str
    port: int
    start_timeout: int


@dataclass(frozen=True)
class Rag:
    collection: str
    sources: tuple[str, ...]
    embedding_model: str
    chunk_words: int
    top_k: int
    max_distance: float
    host: str
    port: int


def is_folder(model: str) -> bool:
    """A model given as a path has been made absolute by then; anything else is a hub name."""
    return model.startswith("/")


def split_revision(model: str) -> tuple[str, str]:
    """(name, revision or "") of a hub name such as org/name@v2; a folder has no revision, whatever its path holds."""
    name, _, revision = ("", "", "") if is_folder(model) else model.partition("@")
    return name or model, revision


@dataclass(frozen=True)
class Recipe:
    """A recipe whose every value has been checked; paths are absolute.

    axolotl and vllm hold the tools' own keys verbatim; None where the recipe has no such section.
    resolved: the whole recipe as plain values, defaults included, as the manifest keeps it.
    """

    name: str
    file: Path
    base_model: str
    chat_template: str | None
    data: Data | None
    axolotl: Mapping[str, Any] | None
    vllm: Mapping[str, Any] | None
    serve: Serve
    rag: Rag | None
    questions: tuple[str, ...]
    resolved: Mapping[str, Any]
