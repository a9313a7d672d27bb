"""What the proxy's own routes answer, as JSON Schemas for /openapi.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
MILLISECONDS: Schema = {"type": ["number", "null"], "minimum": 0}


def whole(properties: Mapping[str, Schema]) -> Schema:
    """An object that has all of these properties and no others."""
    return {"type": "object", "required": list(properties), "additionalProperties": False, "properties": dict(properties)}


def _listed(items: Schema) -> Schema:
    return {"type": "array", "items": items}


ERROR: Schema = whole(
    {"error": whole({"message": TEXT, "type": TEXT, "param": {"type": ["string", "null"]}, "code": {"type": ["string", "integer"]}})}
)
PASSAGE: dict[str, Schema] = {
    "source": TEXT, "heading": TEXT, "category": TEXT, "distance": {"type": "number", "minimum": 0, "maximum": 2},
    "score": {"type": "number"}, "tokens": {"type": ["integer", "null"], "minimum": 0},
}  # fmt: skip
IN_FULL = {**PASSAGE, "title": TEXT, "text": TEXT}
REASON: dict[str, Schema] = {"reason": TEXT}
NOTES: dict[str, Schema] = {"notes": _listed(TEXT)}
LAST = whole({"request": TEXT, "query": TEXT, "passages": _listed(whole(IN_FULL)), "dropped": _listed(whole(IN_FULL | REASON))} | NOTES)
QUERY = whole(
    {
        "request": TEXT, "time": {"type": "string", "format": "date-time"}, "path": TEXT, "question": TEXT, "streamed": {"type": "boolean"},
        "passages": _listed(whole(PASSAGE)), "dropped": _listed(whole(PASSAGE | REASON)), "dropped_messages": WHOLE,
        "retrieval_ms": MILLISECONDS, "first_byte_ms": MILLISECONDS, "status": {"type": ["integer", "null"]}, "total_ms": MILLISECONDS,
        "error": {"type": ["string", "null"]},
    } | NOTES
)  # fmt: skip
LATENCY = whole({"count": WHOLE, "p50": MILLISECONDS, "p95": MILLISECONDS, "p99": MILLISECONDS})
STATS = whole(
    {
        "recipe": TEXT, "total_queries": WHOLE, "chunks_available": WHOLE, "collection": {"type": ["object", "null"]}, "active": WHOLE,
        "index": {"type": ["string", "null"]}, "index_refused": {"type": ["string", "null"]},
        "waiting": WHOLE, "latency_ms": whole({"retrieval": LATENCY, "first_byte": LATENCY, "total": LATENCY}),
        "recent_queries": _listed(QUERY),
    }
)  # fmt: skip
READY = whole({"ready": {"type": "boolean"}, "model_server": TEXT, "index": TEXT})
JSON = "application/json"

# path -> status -> (what it is, its schema, its kind)
ANSWERS: dict[str, dict[str, tuple[str, Schema, str]]] = {
    "/v1/models": {"200": ("OpenAI's list of models", {"type": "object"}, JSON)},
    "/v1/lore/last": {"200": ("passages best first", LAST, JSON)},
    "/health": {
        "200": ("alive", whole({"status": {"const": "ok"}}), JSON),
        "503": ("a new index of the lore is about to be taken up", whole({"status": TEXT}), JSON),
    },
    "/ready": {"200": ("both answer", READY, JSON), "503": ("one of them does not", READY, JSON)},
    "/stats": {"200": ("recent queries newest first, milliseconds of the last thousand", STATS, JSON)},
    "/metrics": {"200": ("Prometheus' text", TEXT, "text/plain")},
    "/openapi.json": {"200": ("OpenAPI 3.1", {"type": "object"}, JSON)},
}
