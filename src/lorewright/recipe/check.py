"""Checks a recipe against the JSON Schema and says every problem in one line a writer can act on."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lorewright.envs import CHECKOUT, PACKAGE
from lorewright.recipe.check_convert import convert_problems
from lorewright.recipe.check_export import export_problems
from lorewright.recipe.check_formats import format_problems
from lorewright.recipe.check_ladder import ladder_problems
from lorewright.recipe.check_lore import lore_problems
from lorewright.recipe.check_merge import merge_problems
from lorewright.recipe.check_rights import rights_problems
from lorewright.recipe.check_several import several_problems
from lorewright.recipe.source import KeyPath, Mark, dotted

SCHEMAS = next(p for p in (PACKAGE / "schema", CHECKOUT / "configs" / "schema") if p.is_dir())

# Keys that lorewright writes itself: where the user sets them instead.
OWNED: dict[str, dict[str, str]] = {
    "axolotl": {
        "base_model": "set base_model at the top of the recipe",
        "base_model_config": "set base_model at the top of the recipe",
        "tokenizer_config": "set base_model at the top of the recipe",
        "revision_of_model": "write base_model as name@revision",
        "chat_template": "set chat_template at the top of the recipe",
        "chat_template_jinja": "set chat_template at the top of the recipe",
        "datasets": "set data.sources and data.format",
        "test_datasets": "set data.validation",
        "val_set_size": "set data.validation: whole documents are kept out, not random samples",
        "output_dir": "outputs go to runs/<recipe>/train/",
        "dataset_prepared_path": "outputs go to runs/<recipe>/train/",
        "lora_model_dir": "the merge stage takes the adapter that was trained",
        "resume_from_checkpoint": "an interrupted run goes on by itself",
        "auto_resume_from_checkpoints": "an interrupted run goes on by itself",
        "save_only_model": "a training that is cut off goes on from whole checkpoints; train.finished_checkpoints says what is left",
        "use_ray": "set train.launcher: ray",
        "ray_num_workers": "set train.devices",
        "comet_api_key": "a secret stands in the environment or .env: COMET_API_KEY",
        "swanlab_api_key": "a secret stands in the environment or .env: SWANLAB_API_KEY",
        "swanlab_lark_secret": "a secret stands in the environment or .env: SWANLAB_LARK_SECRET",
    },
    "vllm": {
        "model": "the recipe's merged model is served",
        "model_tag": "the recipe's merged model is served",
        "tokenizer": "the recipe's merged model carries its tokenizer",
        "served_model_name": "the model is served under the recipe's name",
        "chat_template": "set chat_template at the top of the recipe",
        "host": "set serve.host",
        "port": "set serve.port",
        "enable_lora": "set serve.adapters, or serve.live for the recipe's own",
        "lora_modules": "set serve.adapters",
        "config": "the vllm section is that file",
        "api_key": "a secret stands in the environment or .env: VLLM_API_KEY",
        "hf_token": "a secret stands in the environment or .env: HF_TOKEN",
    },
}
# What people write who know another tool.
FOREIGN = {
    "per_device_train_batch_size": "micro_batch_size",
    "per_device_eval_batch_size": "eval_batch_size",
    "bnb_4bit_quant_type": "bnb_config_kwargs",
    "bnb_4bit_compute_dtype": "bnb_config_kwargs",
    "bnb_4bit_use_double_quant": "bnb_config_kwargs",
    "logging_first_step": "logging_steps",
    "num_train_epochs": "num_epochs",
    "max_seq_length": "sequence_len",
    "max_length": "sequence_len",
    "lora_rank": "lora_r",
    "target_modules": "lora_target_modules",
    "eval_strategy": "evals_per_epoch",
    "max_context": "max_model_len",
    "context_length": "max_model_len",
    "gpu_util": "gpu_memory_utilization",
    "model": "base_model",
    "name": "recipe",
}
# Values that may hold a secret by mistake are not repeated.
UNSHOWN = {
    "key_variable": "expected the name of a variable, such as XAI_API_KEY; the key itself stands in the environment or .env",
    "base_url": "expected http(s)://host[:port]/path, without user, password or query; keys stand in the environment or .env",
}
RESERVED = ("services", "collections", "models")  # folders beside the recipes' own under runs/
TOOLS = {"axolotl": "Axolotl", "vllm": "vLLM"}


@cache
def schema(name: str) -> dict[str, Any]:
    """A committed schema: recipe, axolotl or vllm."""
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return loaded


def problems(values: dict[str, Any], marks: Mapping[KeyPath, Mark], file: Path) -> list[str]:
    """Every problem of a recipe, one line each, in the order of the file."""
    found = list(_owned(values)) + list(_by_schema(values)) + list(_by_meaning(values))
    lines = {f"{_place(marks, at, file)}: {dotted(at)}: {text}" if at else f"{file}: {text}": None for at, text in found}
    return sorted(lines, key=file_order)


def file_order(line: str) -> tuple[str, int]:
    """Sorts problems as they stand in the file."""
    place = line.split(": ", 1)[0]
    name, _, number = place.rpartition(":")
    return (name or place, int(number)) if number.isdigit() else (place, 0)


def _place(marks: Mapping[KeyPath, Mark], at: KeyPath, file: Path) -> str:
    while at and at not in marks:
        at = at[:-1]
    return marks[at].text if at in marks else str(file)


def _owned(values: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    for section, keys in OWNED.items():
        given = values.get(section)
        if isinstance(given, dict):
            for key in keys.keys() & given.keys():
                yield (section, key), f"belongs to lorewright; {keys[key]}"


def _by_schema(values: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    names = [f"{tool}.schema.json" for tool in TOOLS]
    registry = Registry().with_resources((name, Resource.from_contents(schema(name.removesuffix(".schema.json")))) for name in names)
    for error in Draft202012Validator(schema("recipe"), registry=registry).iter_errors(values):
        yield from _lines(error)


def _lines(error: Any) -> Iterator[tuple[KeyPath, str]]:
    at: KeyPath = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        for key in error.instance:
            owned = len(at) == 1 and key in OWNED.get(str(at[0]), {})
            if key not in known and not owned:
                yield (*at, key), _unknown(key, known, str(at[0]) if at else "")
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        yield from ((at, f"{key!r} is missing") for key in missing)
    elif error.validator in ("anyOf", "oneOf") and error.context:
        yield from _alternatives(error)
    else:
        yield at, _sentence(error)


def _unknown(key: str, known: Mapping[str, Any], section: str) -> str:
    tool = TOOLS.get(section)
    if FOREIGN.get(key) in known:
        return f"unknown key; {tool or 'lorewright'}'s is {FOREIGN[key]}"
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.7)
    if near:
        return f"unknown key; did you mean {near[0]}?"
    if not section:
        owner = next((t for t in TOOLS if key in schema(t)["properties"] or key in OWNED[t]), None)
        if owner:
            return f"unknown key here; it belongs under {owner}:"
    if len(known) <= 8:
        return f"unknown key; there are {', '.join(known)}"
    return f"unknown key{f' for {tool}' if tool else ''}"


def _alternatives(error: Any) -> Iterator[tuple[KeyPath, str]]:
    """The branch that went deepest is the one that was meant; otherwise all that would do is named."""
    deep = [e for e in error.context if len(e.path) > 0 or e.validator == "additionalProperties"]
    branches = {e.schema_path[0] for e in deep}
    if len(branches) == 1:
        for inner in deep:
            yield from _lines(inner)
        return
    choices = [c for branch in error.validator_value for c in _wanted(branch)]
    yield tuple(error.absolute_path), f"expected {_either(choices)}, got {_shown(error.instance)}"


def _wanted(branch: Mapping[str, Any]) -> list[str]:
    if "enum" in branch:
        return [str(choice) for choice in branch["enum"]]
    if "const" in branch:
        return [str(branch["const"])]
    kinds = branch.get("type", "mapping" if "$ref" in branch else "value")
    names = {"object": "mapping", "array": "list", "string": "text", "boolean": "true or false", "null": "nothing"}
    return [names.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)]


def _sentence(error: Any) -> str:
    limit, got = error.validator_value, _shown(error.instance)
    match error.validator:
        case "type":
            return f"expected {_either(_wanted(error.schema))}, got {got}{_how(error)}"
        case "enum":
            choices = [choice if isinstance(choice, str) else json.dumps(choice) for choice in limit if choice is not None]
            near = difflib.get_close_matches(str(error.instance), choices, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            return f"{got} is not one of {', '.join(choices)}{hint}"
        case "minimum" | "exclusiveMinimum":
            return f"must be {'at least' if error.validator == 'minimum' else 'more than'} {limit}, got {got}"
        case "maximum" | "exclusiveMaximum":
            return f"must be {'at most' if error.validator == 'maximum' else 'less than'} {limit}, got {got}"
        case "minItems" | "minLength":
            return "must not be empty"
        case "pattern":
            return _of_a_shape(tuple(error.absolute_path), got)
        case _:
            return str(error.message)[:200]


def _of_a_shape(at: KeyPath, got: str) -> str:
    """What a text that must have a certain shape should have been."""
    if at == ("serve", "adapters"):
        return f"{got}: a voice's name is letters, digits, - _ and ."
    if at[:2] == ("data", "augment"):
        return UNSHOWN[str(at[-1])]
    if at == ("train", "devices"):
        return f"expected a number of cards, or all, got {got}"
    if "cors_origins" in at:
        return f"expected an origin such as http://localhost:3000, or *, got {got}"
    named = at in (("recipe",), ("rag", "collection"))
    return f"{got} must be small letters, digits, - and _" if named else f"expected a number, got {got}"


def _how(error: Any) -> str:
    """How the value would be written, for what people get wrong most."""
    if isinstance(error.instance, str) and "list" in _wanted(error.schema):
        return f'; write ["{error.instance}"]'
    return "; put text with a colon in quotes" if isinstance(error.instance, dict) and "text" in _wanted(error.schema) else ""


def _either(choices: list[str]) -> str:
    unique = list(dict.fromkeys(choice for choice in choices if choice != "nothing"))
    if len(unique) > 12:
        unique = [*unique[:12], "…"]
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} or {unique[-1]}" if unique else "nothing"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)[:60]


def _by_meaning(values: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """What a schema cannot say: values that contradict each other."""
    if values.get("recipe") in RESERVED:
        yield ("recipe",), f"{values['recipe']!r} is a folder that all recipes share; choose another name"
    chunk = mapping_at(mapping_at(values, "data"), "chunk")
    low, high, overlap = (chunk.get(key, d) for key, d in (("min", 500), ("max", 2000), ("overlap", 0)))
    if all(isinstance(number, int) for number in (low, high, overlap)):
        if low > high:
            yield ("data", "chunk", "min"), f"must be at most chunk.max ({high}), got {low}"
        elif overlap * 2 > high:
            yield ("data", "chunk", "overlap"), f"must be at most half of chunk.max ({high}), got {overlap}"
    yield from _voices(values)
    yield from ladder_problems(mapping_at(values, "train").get("on_out_of_memory"), OWNED["axolotl"])
    yield from several_problems(mapping_at(values, "train"), mapping_at(values, "axolotl"))
    yield from merge_problems(values)
    yield from export_problems(values)
    yield from convert_problems(values, mapping_at(values, "axolotl"))
    yield from format_problems(mapping_at(values, "data"), values.get("axolotl"))
    if isinstance(values.get("axolotl"), dict) and "data" not in values:
        yield ("axolotl",), "there is nothing to train on; add a data: section"
    asked = mapping_at(mapping_at(values, "data"), "augment")
    if (asked.get("endpoint", "own") != "own" or asked.get("base_url")) and not asked.get("model"):
        yield ("data", "augment"), "model is missing: this endpoint has many"
    rate = mapping_at(values, "axolotl").get("learning_rate", 0)
    if isinstance(rate, str) and not _is_number(rate):
        yield ("axolotl", "learning_rate"), f"expected a number, got {_shown(rate)}"
    if values.get("questions") and "rag" not in values:
        yield ("questions",), "questions are asked through the RAG proxy; add a rag: section"
    serve, rag = mapping_at(values, "serve"), mapping_at(values, "rag")
    if "rag" in values and serve.get("port", 8000) == rag.get("port", 8001):
        yield ("rag", "port"), f"is vLLM's port too ({rag.get('port', 8001)}); choose another"
    yield from lore_problems(rag)
    yield from rights_problems(mapping_at(values, "data"))


def _voices(values: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    serve = mapping_at(values, "serve")
    for name in mapping_at(serve, "adapters"):
        if name in (values.get("recipe"), f"{values.get('recipe')}-base"):
            yield ("serve", "adapters", name), "is the name of the recipe's own model; choose another"
    if serve.get("live") and "axolotl" not in values and not serve.get("adapters"):
        yield ("serve", "live"), "the recipe trains no adapter and names none; add serve.adapters"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def mapping_at(values: dict[str, Any], name: str) -> dict[str, Any]:
    given = values.get(name)
    return given if isinstance(given, dict) else {}
