"""A request's body at the border: bounded while it is read, parsed once, and its fields checked by name and size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn

from starlette.requests import Request

from lorewright.rag.api_error import ApiError
from lorewright.rag.lore_control import LoreControl, read_control, whole_number
from lorewright.recipe.model import Limits

SHOW_PROMPT = ("echo", "prompt_logprobs")  # they give the prompt back: it is then the client's own, unless lore is asked for by name
LENGTHS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True)
class Rules:
    """What may be asked. fields: forwarded by name. extra: further ones of the recipe; "*" for any."""

    fields: frozenset[str]
    limits: Limits
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Body:
    """raw: as it came, empty where it cannot be forwarded like that. values: parsed, without `lore`."""

    raw: bytes
    values: Mapping[str, Any]
    lore: LoreControl

    @property
    def model(self) -> Any:
        return self.values.get("model")

    @property
    def streamed(self) -> bool:
        return bool(self.values.get("stream"))

    def written(self, changes: Mapping[str, Any]) -> bytes:
        """The body to forward: byte for byte what came where nothing has changed."""
        return self.raw if self.raw and not changes else json.dumps({**self.values, **changes}).encode()


async def receive_body(request: Request, limits: Limits) -> bytes:
    """Raises ApiError 413 as soon as it is known to be too long, and ClientDisconnect."""
    longest = int(limits.body_mb * 1_000_000)
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > longest:
        _too_long(limits)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > longest:
            _too_long(limits)
        parts.append(part)
    return b"".join(parts)


def read_body(raw: bytes, rules: Rules) -> Body:
    """Raises ApiError 400 that names what is wrong and what to do."""
    values = _parsed(raw)
    if deeper_than(values, rules.limits.depth):
        raise ApiError(400, f"the request is nested deeper than {rules.limits.depth} levels; the recipe's rag.limits.depth sets this")
    shown = any(values.get(name) not in (None, False) for name in SHOW_PROMPT)
    lore = read_control(values["lore"]) if "lore" in values else LoreControl(wanted=not shown)
    raw = b"" if "lore" in values else raw
    values.pop("lore", None)
    _check_names(values, rules)
    _check_sizes(values, rules.limits)
    if rules.limits.max_tokens and "max_completion_tokens" in rules.fields and not any(values.get(name) is not None for name in LENGTHS):
        raw, values["max_tokens"] = b"", rules.limits.max_tokens
    return Body(raw, values, lore)


def deeper_than(value: Any, limit: int) -> bool:
    """Whether lists and objects stand in each other more than `limit` levels deep."""
    level = [value]
    for _ in range(limit):
        level = [
            child for node in level for child in (node.values() if isinstance(node, dict) else node) if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        values = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as problem:
        raise ApiError(400, f"the request body is not valid JSON: {problem}") from None
    if not isinstance(values, dict):
        raise ApiError(400, "the request body must be a JSON object")
    return values


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _check_names(values: Mapping[str, Any], rules: Rules) -> None:
    unknown = [] if "*" in rules.extra else [name for name in values if name not in rules.fields and name not in rules.extra]
    if unknown:
        near = get_close_matches(unknown[0], rules.fields, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        advice = "take it out, or list it in the recipe's rag.extra_fields to have it forwarded"
        raise ApiError(400, f"unknown field {shown(unknown[0])}: {meant}{advice}", param=shown(unknown[0]), code="unknown_parameter")


def _check_sizes(values: dict[str, Any], limits: Limits) -> None:
    for name in ("n", "best_of"):
        _check_whole(values, name, limits.answers, "answers")
    for name in LENGTHS:
        _check_whole(values, name, limits.max_tokens, "max_tokens")
    prompts = values.get("prompt")
    count = len(prompts) if isinstance(prompts, list) and prompts and not isinstance(prompts[0], int) else 1
    if count * (values.get("n") or 1) > limits.answers:
        raise ApiError(400, f"prompts times n is more than {limits.answers}; the recipe's rag.limits.answers sets this", param="prompt")


def _check_whole(values: dict[str, Any], name: str, most: int | None, limit: str) -> None:
    if values.get(name) is None:
        return
    value = whole_number(values[name])
    if value is None or value < 0:
        raise ApiError(400, f"{name} must be a whole number, 0 or more", param=name)
    values[name] = value
    if most is not None and value > most:
        raise ApiError(400, f"{name} is more than {most}; the recipe's rag.limits.{limit} sets this", param=name)


def shown(name: str) -> str:
    """A client's own word in a message to it: short, and without half surrogate pairs, which no answer could carry."""
    return name[:80].encode("utf-8", "replace").decode()


def _too_long(limits: Limits) -> NoReturn:
    message = f"the request body is longer than {limits.body_mb:g} MB; the recipe's rag.limits.body_mb sets this"
    raise ApiError(413, message, headers={"connection": "close"})
