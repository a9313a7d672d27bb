"""From a path to a checked, frozen Recipe: read the layers, check everything at once, fill defaults, make paths absolute."""

from __future__ import annotations

import copy
import os.path
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lorewright.envs import CHECKOUT
from lorewright.errors import RecipeError
from lorewright.recipe.bounds import Parity, Within
from lorewright.recipe.check import file_order, mapping_at, problems, schema
from lorewright.recipe.check_merge import is_path
from lorewright.recipe.export import Export
from lorewright.recipe.layers import read_layers
from lorewright.recipe.model import (
    Augment,
    Charts,
    Chunk,
    Clean,
    Data,
    Extract,
    Limits,
    Merge,
    Pairs,
    Qa,
    Rag,
    Recipe,
    Rerank,
    Rung,
    Sections,
    Serve,
    Timeouts,
    Train,
)
from lorewright.recipe.source import KeyPath, Mark, Source, dotted
from lorewright.recipe.zero import ZERO, zero_read
from lorewright.sources import trouble

NEAR = 0.8  # the share of their five-word runs that near duplicates have in common, when the recipe only says true


def load(path: str | Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """Reads and checks a recipe.

    path: the YAML file. overrides: `a.b=value` pairs laid on top, checked like the rest.
    Raises LorewrightError when the file cannot be read, RecipeError with one line per problem otherwise.
    """
    path = Path(path)
    source = read_layers(path, overrides)
    found = source.problems + list(zero_read(source.values, lambda entry: _full(source, ZERO, path, entry), source.marks))
    found += problems(source.values, source.marks, path) + list(_missing_files(source, path))
    found += _lore_in_data(source.values, source, path)
    if found:
        raise RecipeError(sorted(found, key=file_order))
    values = _with_defaults(source.values, schema("recipe"))
    _make_absolute(values, source, path)
    return freeze(values, path)


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
            problem = trouble(str(_full(source, at, path, entry)))
            if problem:
                mark = source.marks.get(at) or source.marks[(section, "sources")]
                yield f"{mark.text}: {dotted(at)}: {entry}: {problem}; paths are relative to the recipe"
    template, model = source.values.get("chat_template"), source.values.get("base_model")
    if isinstance(template, str) and not _full(source, ("chat_template",), path, template).is_file():
        yield f"{source.marks[('chat_template',)].text}: chat_template: {template}: no such file; paths are relative to the recipe"
    yield from _missing_adapters(source, path)
    yield from _missing_model(source, path)
    yield from _missing_fallbacks(source, path)
    yield from _missing_prompt(source, path)
    if isinstance(model, str) and model:
        problem = _model_problem(model, _full(source, ("base_model",), path, model))
        if problem:
            yield f"{source.marks[('base_model',)].text}: base_model: {model}: {problem}"


def _missing_fallbacks(source: Source, path: Path) -> Iterator[str]:
    steps = mapping_at(source.values, "train").get("on_out_of_memory")
    for number, item in enumerate(steps if isinstance(steps, list) else []):
        model, at = item.get("fallback_model") if isinstance(item, dict) else None, ("train", "on_out_of_memory", number)
        problem = _model_problem(model, _full(source, at, path, model)) if isinstance(model, str) and model else ""
        if problem:
            mark = source.marks.get(at) or source.marks[at[:-1]]
            yield f"{mark.text}: {dotted((*at, 'fallback_model'))}: {model}: {problem}"


def _missing_prompt(source: Source, path: Path) -> Iterator[str]:
    at = ("data", "augment", "prompt")
    prompt = mapping_at(mapping_at(source.values, "data"), "augment").get("prompt")
    if isinstance(prompt, str) and not _full(source, at, path, prompt).is_file():
        yield f"{source.marks[at].text}: {dotted(at)}: {prompt}: no such file; paths are relative to the recipe"


def _model_problem(model: str, full: Path) -> str:
    """A folder that is not there, or a folder written like a hub name."""
    if model.startswith((".", "/", "~")):
        hint = "python3 models/make_tiny.py makes it" if full.name == "tiny" else "paths are relative to the recipe"
        return "" if full.is_dir() else f"no such folder; {hint}"
    near = next((place for place in (full, CHECKOUT / model) if place.is_dir()), None)
    folder = full.parents[len(Path(model).parts) - 1]
    return f"would be looked for on the hub; did you mean the folder {_written(near, folder)}?" if near else ""


def _written(place: Path, folder: Path) -> str:
    """A path as a recipe in the folder would name it."""
    below = os.path.relpath(place, folder)
    return below if below.startswith(".") else f"./{below}"


def _lore_in_data(values: Mapping[str, Any], source: Source, path: Path) -> Iterator[str]:
    """Lore below the manuscripts' folder would be trained as prose."""
    lists = dict(_source_lists(values))
    lore = [_tidy(_full(source, ("rag", "sources", number), path, entry)) for number, entry in enumerate(lists.get("rag", []))]
    for number, entry in enumerate(lists.get("data", [])):
        at = ("data", "sources", number)
        folder = _tidy(_full(source, at, path, entry))
        if any(f"{place}/".startswith(f"{folder}/") for place in lore):
            mark = source.marks.get(at) or source.marks[at[:-1]]
            said = (
                f"{entry}: holds lore of rag.sources, which would be trained as prose; name the manuscripts alone, for example {entry}/*.md"
            )
            yield f"{mark.text}: data.sources[{number}]: {said}"


def _full(source: Source, at: KeyPath, path: Path, entry: str) -> Path:
    return _folder_of(source, at, path) / Path(entry).expanduser()


def _make_absolute(values: dict[str, Any], source: Source, path: Path) -> None:
    for section, entries in _source_lists(values):
        full = [_full(source, (section, "sources", n), path, entry) for n, entry in enumerate(entries)]
        tidy = [_tidy(entry) for entry in full]
        noted = {"rights": _of_paths(values[section]["rights"], entries, tidy)} if values[section].get("rights") else {}
        values[section] = values[section] | {"sources": tidy} | noted
    rag = values.get("rag") or {"embedding_model": ""}
    rerank = rag.get("rerank") or {"model": ""}
    for part, at in ((values, ("base_model",)), (rag, ("rag", "embedding_model")), (rerank, ("rag", "rerank", "model"))):
        if str(part[at[-1]]).startswith((".", "/", "~")):
            part[at[-1]] = _tidy(_full(source, at, path, part[at[-1]]))
    for name, folder in values["serve"]["adapters"].items():
        values["serve"]["adapters"][name] = _tidy(_full(source, ("serve", "adapters", name), path, folder))
    _make_models_absolute(values, source, path)
    for number, item in enumerate(values["train"]["on_out_of_memory"]):
        if isinstance(item, dict) and str(item.get("fallback_model", "")).startswith((".", "/", "~")):
            item["fallback_model"] = _tidy(_full(source, ("train", "on_out_of_memory", number), path, item["fallback_model"]))
    if values["chat_template"]:
        values["chat_template"] = _tidy(_full(source, ("chat_template",), path, values["chat_template"]))
    asked = (values.get("data") or {}).get("augment") or {}
    if asked.get("prompt"):
        asked["prompt"] = _tidy(_full(source, ("data", "augment", "prompt"), path, asked["prompt"]))


def _make_models_absolute(values: dict[str, Any], source: Source, path: Path) -> None:
    for name, key in (("merge", "checkpoint"), ("export", "model")):
        folder = (values.get(name) or {}).get(key)
        if folder and (is_path(folder) or name == "export"):
            values[name] = values[name] | {key: _tidy(_full(source, (name, key), path, folder))}


def _of_paths(rights: Mapping[str, str], written: list[str], full: list[str]) -> dict[str, str]:
    """The notes by the full paths of their sources."""
    return {path: rights[entry] for entry, path in zip(written, full, strict=True) if entry in rights}


def _missing_adapters(source: Source, path: Path) -> Iterator[str]:
    adapters = mapping_at(mapping_at(source.values, "serve"), "adapters")
    for name, folder in adapters.items():
        at = ("serve", "adapters", name)
        if isinstance(folder, str) and not (_full(source, at, path, folder) / "adapter_config.json").is_file():
            mark = source.marks.get(at) or source.marks[("serve", "adapters")]
            yield f"{mark.text}: {dotted(at)}: {folder}: no adapter_config.json there; paths are relative to the recipe"


def _missing_model(source: Source, path: Path) -> Iterator[str]:
    at = ("export", "model")
    model = mapping_at(source.values, "export").get("model")
    if isinstance(model, str) and not (_full(source, at, path, model) / "config.json").is_file():
        yield f"{source.marks[at].text}: {dotted(at)}: {model}: no config.json there; paths are relative to the recipe"


def _tidy(path: Path) -> str:
    """Absolute, without `..`; globs may stand in it."""
    return os.path.normpath(path.absolute())


def freeze(values: dict[str, Any], path: Path) -> Recipe:
    """A recipe of whole values: checked, with every default and absolute paths, as Recipe.resolved holds them."""
    data, rag = values.get("data"), values.get("rag")
    return Recipe(
        name=values["recipe"],
        file=path.absolute(),
        base_model=values["base_model"],
        chat_template=values["chat_template"],
        convert=values["convert"],
        data=_data(data) if data else None,
        axolotl=values.get("axolotl"),
        train=Train(**values["train"] | {"on_out_of_memory": tuple(_rung(item) for item in values["train"]["on_out_of_memory"])}),
        merge=Merge(**values["merge"]),
        parity=_parity(values["parity"]),
        export=_export(values["export"]) if values.get("export") is not None else None,
        vllm=values.get("vllm"),
        serve=Serve(**values["serve"]),
        rag=_rag(rag) if rag else None,
        questions=tuple(values["questions"]),
        resolved=values,
    )


def _parity(values: Mapping[str, Any]) -> Parity:
    exported = Within(**values["exported"]) if values.get("exported") else None
    return Parity(values["check"], Within(**values["merged"]), Within(**values["served"]), exported)


def _rung(item: str | Mapping[str, Any]) -> Rung:
    if isinstance(item, str):
        return Rung(item)
    step = next(key for key in item if key != "axolotl")
    return Rung(step, item[step], item.get("axolotl", {}))


def _export(values: Mapping[str, Any]) -> Export:
    types = [values["gguf"]] if isinstance(values["gguf"], str) else values["gguf"]
    return Export(**dict(values) | {"gguf": tuple(dict.fromkeys(name.upper() for name in types))})


def _rag(values: Mapping[str, Any]) -> Rag:
    rerank = values.get("rerank")
    parts: dict[str, Any] = {key: tuple(values[key]) for key in ("sources", "extra_fields", "allowed_hosts", "cors_origins")}
    parts |= {"timeouts": Timeouts(**values["timeouts"]), "limits": Limits(**values["limits"])}
    return Rag(**dict(values) | parts | {"rerank": Rerank(**rerank) if rerank else None})


def _data(values: Mapping[str, Any]) -> Data:
    """The data section; parts of their own become values of their own."""
    asked = values.get("augment")
    parts = {
        "sources": tuple(values.get("sources", ())), "extract": Extract(**values["extract"]), "chunk": Chunk(**values["chunk"]),
        "qa": Qa(**values["qa"]),
        "pairs": Pairs(**values["pairs"]), "sections": Sections(**values["sections"]),
        "clean": _clean(values["clean"]), "charts": Charts(**values["charts"] | {"languages": tuple(values["charts"]["languages"])}),
        "augment": Augment(**asked) if asked else None,
    }  # fmt: skip
    return Data(**dict(values) | parts)


def _clean(values: Mapping[str, Any]) -> Clean:
    near = values["near_duplicates"]
    return Clean(**dict(values) | {"near_duplicates": NEAR if near is True else float(near)})
