"""The routes in OpenAPI 3.1, as /openapi.json serves them. Request fields are those that fields.py lists; answers: openapi_answers.py."""

from __future__ import annotations

from collections.abc import Mapping, Set

from lorewright import __version__
from lorewright.rag.fields import CHAT_FIELDS, COMPLETION_FIELDS, EMBEDDING_FIELDS
from lorewright.rag.lore_control import MOST
from lorewright.rag.openapi_answers import ANSWERS, ERROR, Schema
from lorewright.recipe.model import Limits

NAMES: Schema = {"type": ["array", "null"], "maxItems": MOST, "items": {"type": "string", "minLength": 1, "maxLength": 100}}
LORE: Schema = {
    "description": "Whether and which lore is put before the model; taken out before the request is forwarded.",
    "oneOf": [
        {"enum": ["on", "off", True, False, None]},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "top_k": {"type": ["integer", "null"], "minimum": 1, "maximum": MOST},
                "categories": NAMES,
                "sources": NAMES,
                "tags": NAMES,
            },
        },
    ],
}
REQUEST_ERRORS = {
    "400": "what is wrong with the request, and what to do",
    "413": "the body is too long",
    "429": "too many wait; Retry-After says when to come back",
    "503": "no turn came in time",
}
UPSTREAM_ERRORS = {"502": "the model server is down or broke off", "504": "the model server did not answer in time"}
GUARDED = {"401": "no key, or a wrong one", "403": "a host name or origin that is not allowed"}
OWN = "the model server's own answer, as it is"


def description(limits: Limits | None = None, extra: tuple[str, ...] = ()) -> Schema:
    """limits, extra: what the recipe allows; None for what it allows when it does not say."""
    typed = _typed(limits or Limits())
    chat = _body(CHAT_FIELDS | {"lore", *extra}, ["messages"], typed)
    text = _body(COMPLETION_FIELDS | {"lore", *extra}, ["prompt"], typed)
    embeddings = _body(EMBEDDING_FIELDS | set(extra), [], typed)
    return {
        "openapi": "3.1.0",
        "info": {"title": "lorewright's lore proxy", "version": __version__, "description": "OpenAI's API in front of vLLM, with lore."},
        "components": {
            "schemas": {"Error": ERROR},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "Where the proxy was given keys."}},
        },
        "security": [{}, {"key": []}],
        "paths": {
            "/v1/chat/completions": _post("A chat completion with lore.", chat),
            "/v1/completions": _post("A text completion with lore before the prompt.", text),
            "/v1/embeddings": _post("Embeddings by the served model, else by the lore's embedder.", embeddings),
            "/v1/models": _get("The model server's models.", "/v1/models", UPSTREAM_ERRORS, forwarded=True),
            "/v1/lore/last": _get(
                "The passages an answer was given, and those dropped.", "/v1/lore/last", {"404": "no such request among the last fifty"},
                {"request": "the answer's x-lorewright-request; the newest where it is left out"},
            ),
            "/health": _get("The proxy is alive.", "/health", None, {"lore": "newest: 503 while a newer index is not yet taken up"}),
            "/ready": _get("The model server and the lore index answer (200) or not (503).", "/ready"),
            "/stats": _get("Recent queries, counts and latency percentiles.", "/stats"),
            "/metrics": _get("Counts for Prometheus.", "/metrics"),
            "/openapi.json": _get("This description.", "/openapi.json"),
        },
    }  # fmt: skip


def _typed(limits: Limits) -> dict[str, Schema]:
    """The fields that the proxy itself looks at; all others are the model server's to judge."""
    most = {} if limits.max_tokens is None else {"maximum": limits.max_tokens}
    length: Schema = {"type": ["integer", "null"], "minimum": 0, **most}
    answers: Schema = {"type": ["integer", "null"], "minimum": 0, "maximum": limits.answers}
    tokens: Schema = {"type": "array", "minItems": 1, "items": {"type": "integer"}}
    one: Schema = {"type": ["string", "array"], "items": {"type": "integer"}}
    several: Schema = {"type": "array", "minItems": 1, "maxItems": limits.answers, "items": one}
    return {
        "model": {"type": "string"},
        "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
        "prompt": {
            "description": f"Lore goes before one prompt in text. Prompts times n are at most {limits.answers}.",
            "anyOf": [{"type": "string", "minLength": 1}, several, tokens],
        },
        "input": {"type": ["string", "array"]},
        "stream": {"type": ["boolean", "null"]},
        "max_tokens": length,
        "max_completion_tokens": length,
        "n": answers,
        "best_of": answers,
        "lore": LORE,
    }


def _body(names: Set[str], required: list[str], typed: Mapping[str, Schema]) -> Schema:
    """names: of the fields; with "*" among them any other is let through too."""
    fields = {name: typed.get(name, {}) for name in sorted(names - {"*"})}
    return {"type": "object", "additionalProperties": "*" in names, "required": required, "properties": fields}


def _post(what: str, body: Schema) -> Schema:
    request = {"required": True, "content": {"application/json": {"schema": body}}}
    kinds: Schema = {kind: {"schema": {}} for kind in ("application/json", "text/event-stream")}
    answer = {"description": "the answer; server-sent events where it is streamed", "content": kinds}
    errors = _errors(REQUEST_ERRORS | UPSTREAM_ERRORS | GUARDED)
    return {"post": {"summary": what, "requestBody": request, "responses": {"200": answer, **errors, "default": {"description": OWN}}}}


def _get(
    what: str, path: str, errors: Mapping[str, str] | None = None, queries: Mapping[str, str] | None = None, *, forwarded: bool = False
) -> Schema:
    asked = [{"name": name, "in": "query", "description": said, "schema": {"type": "string"}} for name, said in (queries or {}).items()]
    answers = {status: _answer(said, schema, kind) for status, (said, schema, kind) in ANSWERS.get(path, {}).items()}
    own = {"default": {"description": OWN}} if forwarded else {}
    return {"get": {"summary": what, "parameters": asked, "responses": answers | _errors({**(errors or {}), **GUARDED}) | own}}


def _errors(said: Mapping[str, str]) -> Schema:
    return {status: _answer(what, {"$ref": "#/components/schemas/Error"}) for status, what in said.items()}


def _answer(said: str, schema: Schema, content: str = "application/json") -> Schema:
    return {"description": said, "content": {content: {"schema": schema}}}
