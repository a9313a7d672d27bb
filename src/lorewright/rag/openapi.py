"""The routes in OpenAPI 3.1, as /openapi.json serves them. Request fields are those that fields.py lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lorewright import __version__
from lorewright.rag.fields import CHAT_FIELDS, COMPLETION_FIELDS, EMBEDDING_FIELDS
from lorewright.rag.lore_control import MOST

Schema = dict[str, Any]
WHOLE: Schema = {"type": ["integer", "null"], "minimum": 0}
NAMES: Schema = {"type": "array", "maxItems": MOST, "items": {"type": "string", "minLength": 1, "maxLength": 100}}
LORE: Schema = {
    "description": "Whether and which lore is put before the model; taken out before the request is forwarded.",
    "oneOf": [
        {"enum": ["on", "off", True, False, None]},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "top_k": {"type": "integer", "minimum": 1, "maximum": MOST},
                "categories": NAMES,
                "sources": NAMES,
                "tags": NAMES,
            },
        },
    ],
}
TYPED: dict[str, Schema] = {
    "model": {"type": "string"},
    "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
    "prompt": {"type": ["string", "array"]},
    "input": {"type": ["string", "array"]},
    "stream": {"type": "boolean"},
    "max_tokens": WHOLE,
    "max_completion_tokens": WHOLE,
    "n": WHOLE,
    "best_of": WHOLE,
    "lore": LORE,
}
ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "object", "required": ["message", "type", "param", "code"]}},
}
ERRORS = {
    "400": "what is wrong with the request, and what to do",
    "401": "no key, or a wrong one",
    "403": "a host name or origin that is not allowed",
    "413": "the body is too long",
    "429": "too many wait; Retry-After says when to come back",
    "502": "the model server is down or broke off",
    "503": "no turn came in time",
    "504": "the model server did not answer in time",
}


def description() -> Schema:
    return {
        "openapi": "3.1.0",
        "info": {"title": "lorewright's lore proxy", "version": __version__, "description": "OpenAI's API in front of vLLM, with lore."},
        "components": {
            "schemas": {"Error": ERROR},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "Where the proxy was given keys."}},
        },
        "security": [{}, {"key": []}],
        "paths": {
            "/v1/chat/completions": _post("A chat completion with lore.", CHAT_FIELDS | {"lore"}, ["messages"]),
            "/v1/completions": _post("A text completion with lore before the prompt.", COMPLETION_FIELDS | {"lore"}, ["prompt"]),
            "/v1/embeddings": _post("Embeddings by the served model, else by the lore's embedder.", EMBEDDING_FIELDS, []),
            "/v1/models": _get("The model server's models."),
            "/v1/lore/last": _get("The passages an answer was given, and those dropped.", {"request": "the answer's x-lorewright-request"}),
            "/health": _get("The proxy is alive."),
            "/ready": _get("The model server and the lore index answer (200) or not (503)."),
            "/stats": _get("Recent queries, counts and latency percentiles."),
            "/metrics": _get("Counts for Prometheus.", content="text/plain"),
            "/openapi.json": _get("This description."),
        },
    }


def _post(what: str, names: Iterable[str], required: list[str]) -> Schema:
    fields = {name: TYPED.get(name, {}) for name in sorted(names)}
    body = {"type": "object", "additionalProperties": False, "required": required, "properties": fields}
    errors = {status: _answer(said, {"$ref": "#/components/schemas/Error"}) for status, said in ERRORS.items()}
    request = {"required": True, "content": {"application/json": {"schema": body}}}
    return {"post": {"summary": what, "requestBody": request, "responses": {"200": _answer("the answer", {}), **errors}}}


def _get(what: str, queries: Mapping[str, str] | None = None, content: str = "application/json") -> Schema:
    asked = [{"name": name, "in": "query", "description": said, "schema": {"type": "string"}} for name, said in (queries or {}).items()]
    return {"get": {"summary": what, "parameters": asked, "responses": {"200": _answer("the answer", {}, content)}}}


def _answer(said: str, schema: Schema, content: str = "application/json") -> Schema:
    return {"description": said, "content": {content: {"schema": schema}}}
