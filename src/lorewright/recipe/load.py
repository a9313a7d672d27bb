"""From a path to a checked, frozen Recipe: read the layers, check everything at once, fill defaults, make paths absolute."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lorewright.errors import RecipeError
from lorewright.recipe.check import file_order, problems, schema
from lorewright.recipe.layers import read_layers
from lorewright.recipe.model import Chunk, Data, Rag, Recipe, Serve
from lorewright.recipe.source import KeyPath, Mark, Source, dotted
from lorewright.sources import trouble


def load(path: str | Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """Reads and checks a recipe.

    path: the YAML file. overrides: `a.b=value` pairs laid on top, checked like the rest.
    Raises LorewrightError when the file cannot be read, RecipeError with one line per problem otherwise.
    """
    path = Path(path)
    source = read_layers(path, overrides)
    found = source.problems + problems(source.values, source.marks, path) + list(_missing_files(source, path))
    if found:
        raise RecipeError(sorted(found, key=file_order))
    values = _with_defaults(source.values, schema("recipe"))
    _make_absolute(values, source, path)
    return _freeze(values, path)


def _with_defaults(values: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(values)
    for key, sub in part.get("properties", {}).items():
        if key not in result and "default" in sub:
            result[key] = copy.deepcopy(sub["default"])
        if isinstance(result.get(key), dict) and "properties" in sub:
            result[key] = _with_defaults(result[key], sub)
    return result


def _source_lists(values: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for section in ("data", "rag"):
        part = values.get(section)
        entries = part.get("sources") if isinstance(part, dict) else None
        if isinstance(entries, list) and all(isinstance(entry, str) for entry in entries):
            yield section, entries


def _folder_of(source: Source, at: KeyPath, path: Path) -> Path:
    """A path is relative to the file it was written in; one given by --set to the current folder."""
    mark = source.marks.get(at) or source.marks.get(at[:-1]) or Mark(path.resolve(), "")
    return mark.file.parent if mark.file else Path.cwd()


def _missing_files(source: Source, path: Path) -> Iterator[str]:
    for section, entries in _source_lists(source.values):
        for number, entry in enumerate(entries):
            at = (section, "sources", number)
            full = _folder_of(source, at, path) / entry
            problem = trouble(str(full))
            if problem:
                mark = source.marks.get(at) or source.marks[(section, "sources")]
                yield f"{mark.text}: {dotted(at)}: {entry}: {problem}; paths are relative to the recipe"
    template = source.values.get("chat_template")
    if isinstance(template, str) and not (_folder_of(source, ("chat_template",), path) / template).is_file():
        yield f"{source.marks[('chat_template',)].text}: chat_template: {template}: no such file; paths are relative to the recipe"


def _make_absolute(values: dict[str, Any], source: Source, path: Path) -> None:
    for section, entries in _source_lists(values):
        full = [_folder_of(source, (section, "sources", n), path) / entry for n, entry in enumerate(entries)]
        values[section] = values[section] | {"sources": [_tidy(entry) for entry in full]}
    rag = values.get("rag") or {"embedding_model": ""}
    for part, at in ((values, ("base_model",)), (rag, ("rag", "embedding_model"))):
        if str(part[at[-1]]).startswith((".", "/", "~")):
            part[at[-1]] = _tidy(_folder_of(source, at, path) / Path(part[at[-1]]).expanduser())
    if values["chat_template"]:
        values["chat_template"] = _tidy(_folder_of(source, ("chat_template",), path) / values["chat_template"])


def _tidy(path: Path) -> str:
    """Absolute, without `..`; globs may stand in it."""
    import os.path

    return os.path.normpath(path.absolute())


def _freeze(values: dict[str, Any], path: Path) -> Recipe:
    data, rag = values.get("data"), values.get("rag")
    return Recipe(
        name=values["recipe"],
        file=path.absolute(),
        base_model=values["base_model"],
        chat_template=values["chat_template"],
        data=Data(**data | {"sources": tuple(data["sources"]), "chunk": Chunk(**data["chunk"])}) if data else None,
        axolotl=values.get("axolotl"),
        vllm=values.get("vllm"),
        serve=Serve(**values["serve"]),
        rag=Rag(**rag | {"sources": tuple(rag["sources"])}) if rag else None,
        questions=tuple(values["questions"]),
        resolved=values,
    )
