"""Errors as OpenAI's clients expect them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse


class ApiError(Exception):
    """An answer that is an error.

    status: of HTTP. kind: OpenAI's `type`, such as invalid_request_error. param: the field at fault. code: OpenAI's word for
    the problem, else the status. headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        kind: str = "invalid_request_error",
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.kind = status, message, kind
        self.param, self.code, self.headers = param, code, dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code or self.status}}

    def response(self) -> JSONResponse:
        return JSONResponse(self.body, self.status, self.headers)

    def event(self) -> bytes:
        """The same as one server-sent event, for a stream that has already begun."""
        return b"data: " + json.dumps(self.body).encode() + b"\n\n"
