"""Write the JSON Schema of Axolotl's recipe keys, made from Axolotl's own models.

Runs inside the train environment: `python axolotl_schema.py OUTPUT`. Axolotl drops keys it does not know without a
word, so the schema closes every object that is not a free mapping. The keys of Axolotl's own plugins are in it, each
with the plugin it needs under `x-plugin`, for without that plugin Axolotl drops them too. A recipe holds only a part
of a configuration, hence no top-level `required`.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

os.environ.setdefault("AXOLOTL_DO_NOT_TRACK", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import axolotl.integrations
from axolotl.integrations.base import BasePlugin
from axolotl.utils.schemas.config import AxolotlInputConfig
from axolotl.utils.schemas.deprecated import DeprecatedParameters
from pydantic import BaseModel
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.json_schema import GenerateJsonSchema, PydanticInvalidForJsonSchema
from pydantic_core import PydanticSerializationError

Schema = dict[str, Any]
ANNOTATIONS = ("default", "deprecated", "description", "examples")
# YAML 1.1 reads `1e-5` as text, and pydantic makes the number of it.
NUMERIC = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
# Spellings that Axolotl's validators turn into members before pydantic sees them.
EXTRA_MEMBERS = {"TorchAOQuantDType": ["fp8", "float8"]}
# A switch that the model types as a number; pydantic makes 1.0 of true.
NUMBERS_AS_SWITCHES = ("kd_trainer",)


class NamedEnums(GenerateJsonSchema):  # type: ignore[misc, unused-ignore]
    """Torch dtypes are no JSON: such enums are written as their members' names, such defaults as text."""

    def enum_schema(self, schema: Any) -> Schema:
        try:
            found: Schema = super().enum_schema(schema)
            return found
        except PydanticSerializationError:
            names = [member.name for member in schema["members"]]
            return {"type": "string", "enum": names + EXTRA_MEMBERS.get(schema["cls"].__name__, [])}

    def encode_default(self, dft: Any) -> Any:
        try:
            return super().encode_default(dft)
        except PydanticSerializationError:
            return getattr(dft, "name", str(dft))


def raw_schema(model: type[BaseModel]) -> Schema:
    """Pydantic's schema of a model, with every other spelling of a field beside it, and refs still in place."""
    schema: Schema = model.model_json_schema(schema_generator=NamedEnums)
    for found in models_in(model, set()):
        target = schema if found is model else schema.get("$defs", {}).get(found.__name__)
        if target is not None:
            add_spellings(target["properties"], found)
    return schema


def models_in(kind: Any, seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """Every pydantic model that a type is made of, itself included, each once."""
    parts = get_args(kind)
    if kind not in seen and isinstance(kind, type) and issubclass(kind, BaseModel):
        model: type[BaseModel] = kind
        seen.add(model)
        yield model
        parts = tuple(field.annotation for field in model.model_fields.values())
    for part in parts:
        yield from models_in(part, seen)


def add_spellings(properties: dict[str, Schema], model: type[BaseModel]) -> None:
    """Pydantic's schema names one alias of a field; its model takes the others too, and Axolotl old `fsdp_` names."""
    by_name = bool(model.model_config.get("populate_by_name"))
    for name, field in model.model_fields.items():
        choices = getattr(field.validation_alias, "choices", [field.validation_alias])
        spellings = [alias for alias in choices if isinstance(alias, str)] or [name]
        known = next(properties[spelling] for spelling in spellings if spelling in properties)
        for spelling in [*spellings, *([name] if by_name else [])]:
            properties.setdefault(spelling, known)
        if model.__name__ == "FSDPConfig" and not name.startswith("fsdp_"):
            properties.setdefault(f"fsdp_{name}", {**known, "deprecated": True})


def tidy(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """A node without refs, titles and unions that one node can say, and with its objects closed."""
    return with_numeric_text(tidy_branch(node, definitions))


def tidy_branch(node: Schema, definitions: dict[str, Schema]) -> Schema:
    node = resolve(node, definitions)
    if "anyOf" in node:
        notes = {key: node[key] for key in ANNOTATIONS if key in node}
        return {**alternatives(node["anyOf"], definitions), **notes}
    if "properties" in node:
        node["properties"] = {key: tidy(value, definitions) for key, value in node["properties"].items()}
        node.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            node[key] = tidy(node[key], definitions)
    if "prefixItems" in node:
        node["prefixItems"] = [tidy(item, definitions) for item in node["prefixItems"]]
    return node


def resolve(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """The node with its ref followed, its pydantic noise dropped and its text on one line."""
    node = dict(node)
    while "$ref" in node:
        target = definitions[node.pop("$ref").rpartition("/")[2]]
        node = {**target, **node}
    node.pop("title", None)
    if "help" in node:
        node["description"] = node.pop("help")
    if "description" in node:
        node["description"] = " ".join(node["description"].split())
    if "const" in node:
        node["enum"] = [node.pop("const")]
    return node


def with_numeric_text(node: Schema) -> Schema:
    types = as_list(node.get("type", []))
    if "number" not in types or "string" in types or "enum" in node:
        return node
    at = types.index("number") + 1
    return {**node, "type": [*types[:at], "string", *types[at:]], "pattern": NUMERIC}


def alternatives(branches: Iterable[Schema], definitions: dict[str, Schema]) -> Schema:
    """A union as one node where that says the same, so that an error names the fault instead of "none of these"."""
    nodes = list(flatten(branches, definitions))
    objects = [node for node in nodes if "properties" in node]
    if len(objects) > 1:
        nodes = [merged_object(objects), *(node for node in nodes if "properties" not in node)]
    parts = unique({k: v for k, v in tidy_branch(node, definitions).items() if k not in ANNOTATIONS} for node in nodes)
    if {} in parts:
        return {}
    enums = [part for part in parts if "enum" in part]
    rest = join_types([part for part in parts if "enum" not in part])
    if not enums:
        return rest[0] if len(rest) == 1 else {"anyOf": [with_numeric_text(part) for part in rest]}
    return join_enum(unique(value for part in enums for value in part["enum"]), rest)


def flatten(branches: Iterable[Schema], definitions: dict[str, Schema]) -> Iterator[Schema]:
    for branch in branches:
        node = resolve(branch, definitions)
        if "anyOf" in node:
            yield from flatten(node["anyOf"], definitions)
        else:
            yield node


def merged_object(objects: list[Schema]) -> Schema:
    """One object with the keys of all: Axolotl picks a dataset's model by the keys it finds, and by `rl`."""
    properties: dict[str, Schema] = {}
    for key in unique(key for node in objects for key in node["properties"]):
        variants = unique(node["properties"][key] for node in objects if key in node["properties"])
        notes = {note: variants[0][note] for note in ANNOTATIONS if note in variants[0]}
        properties[key] = variants[0] if len(variants) == 1 else {**notes, "anyOf": variants}
    required = set.intersection(*(set(node.get("required", [])) for node in objects))
    return {"type": "object", "properties": properties, **({"required": sorted(required)} if required else {})}


def join_types(parts: list[Schema]) -> list[Schema]:
    """Nodes of different types as one: a keyword only speaks to the type that it belongs to."""
    if any(part.get("type") == "number" for part in parts):
        parts = [part for part in parts if part != {"type": "integer"}]
    joined: Schema = {"type": []}
    apart: list[Schema] = []
    for part in parts:
        clash = set(as_list(part["type"])) & set(joined["type"]) or set(part) & set(joined) - {"type"}
        if clash:
            apart.append(part)
        else:
            joined = {**joined, **part, "type": [*joined["type"], *as_list(part["type"])]}
    joined["type"] = sorted(joined["type"], key=lambda kind: bool(kind == "null"))
    if len(joined["type"]) == 1:
        joined["type"] = joined["type"][0]
    return [joined, *apart] if joined["type"] else apart


def join_enum(values: list[Any], rest: list[Schema]) -> Schema:
    """Choices with what else is allowed: beside free text they are only examples."""
    types = as_list(rest[0]["type"]) if len(rest) == 1 else []
    if rest and set(types) <= {"boolean", "null"}:
        return {"enum": values + [True, False] * ("boolean" in types) + [None] * ("null" in types)}
    if "string" in types and "pattern" not in rest[0]:
        return {**rest[0], "examples": values}
    return {"anyOf": [{"enum": values}, *(with_numeric_text(part) for part in rest)]} if rest else {"enum": values}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def unique(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def plugin_keys() -> dict[str, Schema]:
    """The keys of every plugin that ships with Axolotl and can be imported here."""
    keys: dict[str, Schema] = {}
    for name, cls in plugins():
        try:
            arguments = cls().get_input_args()
            if not arguments:
                continue
            module, _, model = arguments.rpartition(".")
            schema = raw_schema(getattr(importlib.import_module(module), model))
        except (ImportError, PydanticSchemaGenerationError, PydanticInvalidForJsonSchema) as problem:
            report(name, problem)
            continue
        for key, node in tidy(schema, schema.get("$defs", {}))["properties"].items():
            keys.setdefault(key, {**node, "x-plugin": name})
    return keys


def plugins() -> Iterator[tuple[str, type[BasePlugin]]]:
    """Each shipped plugin class with the name that `plugins:` takes."""
    folder = axolotl.integrations
    packages = sorted(info.name for info in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}.") if info.ispkg)
    for package in packages:
        try:
            members = vars(importlib.import_module(package))
        except (ImportError, RuntimeError, OSError) as problem:
            report(package, problem)
            continue
        for name, member in sorted(members.items()):
            if isinstance(member, type) and issubclass(member, BasePlugin) and member.__module__.startswith(package):
                yield f"{package}.{name}", member


def report(name: str, problem: Exception) -> None:
    print(f"{name} left out: {type(problem).__name__}: {problem}", file=sys.stderr)


def build() -> Schema:
    raw = raw_schema(AxolotlInputConfig)
    schema = tidy(raw, raw.get("$defs", {}))
    properties = {**plugin_keys(), **schema["properties"]}
    for key in DeprecatedParameters.model_fields:
        properties[key] = {**properties[key], "deprecated": True}
    for key in NUMBERS_AS_SWITCHES:
        properties[key] = {**properties[key], "type": ["boolean", *as_list(properties[key]["type"])]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "axolotl.schema.json",
        "title": f"Axolotl {version('axolotl')}",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def main() -> None:
    text = json.dumps(build(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    Path(sys.argv[1]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
