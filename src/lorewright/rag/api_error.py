"""Errors as OpenAI's clients expect them."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse


class ApiError(Exception):
    """An answer that is an error. status: of HTTP. kind: OpenAI's `type`, such as invalid_request_error."""

    def __init__(self, status: int, message: str, kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status, self.message, self.kind = status, message, kind

    @property
    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.kind, "param": None, "code": self.status}}

    def response(self) -> JSONResponse:
        return JSONResponse(self.body, self.status)

    def event(self) -> bytes:
        """The same as one server-sent event, for a stream that has already begun."""
        return b"data: " + json.dumps(self.body).encode() + b"\n\n"
