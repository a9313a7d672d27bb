"""The proxy does what /openapi.json says: schemathesis asks what the description allows, and what it forbids."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from lorewright.rag.openapi import description
from lorewright.rag.store import Index

from .fakes import running_proxy
from .test_upstream import REQUEST
from .upstream_server import Reply, running_upstream

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    positive_data_acceptance,
    unsupported_method,
    allow_header_conformance,
]
OPERATIONS = [(path, method) for path, methods in description()["paths"].items() for method in methods]
ASKED = [(*operation, GenerationMode.POSITIVE) for operation in OPERATIONS]
# What takes neither a body nor a parameter cannot be asked wrongly.
ASKED += [(*operation, GenerationMode.NEGATIVE) for operation in OPERATIONS if operation[1] == "post" or operation[0] == "/v1/lore/last"]
EXAMPLES = 100


@pytest.fixture(scope="module")
def address(index: Index) -> Iterator[str]:
    with running_upstream() as server, running_proxy(server.address, index) as port:
        posts = [path for path, method in OPERATIONS if method == "post"]
        answers = {path: Reply(length=True) for path in (*posts, "/v1/models")}
        server.replies = {"/tokenize": Reply((b'{"count": 10, "max_model_len": 400}',), length=True), **answers}
        address = f"http://127.0.0.1:{port}"
        told = httpx.post(f"{address}/v1/chat/completions", json=REQUEST)
        assert len(json.loads(told.headers["x-lorewright-passages"])) == 3, "so that /stats and /v1/lore/last have something to say"
        yield address


@pytest.mark.real
def test_what_is_not_ready_or_not_there_is_as_described(index: Index) -> None:
    """The model server is down, and its failures are described too."""
    with running_proxy("http://127.0.0.1:1", index) as port:
        schema = schemathesis.openapi.from_dict(strict())
        bodies: dict[str, Any] = {"/v1/chat/completions": REQUEST, "/v1/completions": {"prompt": "x"}, "/v1/embeddings": {"input": "x"}}
        for path, status in (("/ready", 503), ("/v1/models", 502), ("/v1/lore/last", 404), *((path, 502) for path in bodies)):
            case = schema[path]["POST" if path in bodies else "GET"].Case(body=bodies.get(path, NOT_SET))
            answer = case.call_and_validate(base_url=f"http://127.0.0.1:{port}", checks=CHECKS[1:5])
            assert answer.status_code == status, path


def strict() -> dict[str, Any]:
    """The description without the model server's own failures: the scripted one has none, so all others are the proxy's."""
    described = description()
    for methods in described["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("default", None)
    return described


@pytest.mark.real
@pytest.mark.req("F8")
@pytest.mark.parametrize(("path", "method", "mode"), ASKED, ids=lambda part: getattr(part, "value", part))
def test_answers_are_as_described(address: str, path: str, method: str, mode: GenerationMode) -> None:
    operation = schemathesis.openapi.from_dict(strict())[path][method.upper()]
    statuses: Counter[int] = Counter()

    @hypothesis.settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(mode))
    def send(case: Case) -> None:
        hypothesis.assume(mode is GenerationMode.NEGATIVE or not too_much_together(case.body))
        answer = case.call_and_validate(base_url=address, checks=CHECKS)
        statuses[answer.status_code] += 1

    send()
    if method == "post":
        assert statuses[200 if mode is GenerationMode.POSITIVE else 400] > EXAMPLES / 4, statuses


def too_much_together(body: Any) -> bool:
    """What the description says in words alone: prompts times n, and that lore goes before one prompt."""
    if not isinstance(body, dict) or not isinstance(body.get("prompt"), list):
        return False
    return body.get("lore") not in (None, False, "off") or len(body["prompt"]) * (body.get("n") or 1) > 128
