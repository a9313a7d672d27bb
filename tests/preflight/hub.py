"""Stands for the model hub: its answers to what is asked before a download, with its own status codes and headers.

401 for a missing token, 403 for one without the right, X-Error-Code and X-Error-Message as huggingface_hub reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

FILES = {
    "config.json": 700, "tokenizer.json": 9_000_000, "tokenizer_config.json": 50_000, "model-00001-of-00002.safetensors": 10 * 2**30,
    "model-00002-of-00002.safetensors": 5 * 2**30, "original/consolidated.00.pth": 15 * 2**30,
    "consolidated.safetensors": 15 * 2**30,
}  # fmt: skip


@dataclass
class Card:
    """A model on the hub. contents: of those files that can be fetched. gated: its authors decide who may have it. allowed: the tokens whose accounts may."""

    files: dict[str, int] = field(default_factory=lambda: dict(FILES))
    gated: bool = False
    allowed: tuple[str, ...] = ()
    refusal: str = "Access to model is restricted and you are not in the authorized list."
    template: str | None = "{{ messages }}"
    revisions: tuple[str, ...] = ("main",)
    contents: Mapping[str, bytes] = field(default_factory=dict)


class Hub:
    """models: by name. tokens: those that exist. asked: what was asked for. told: what the library asks to describe its user,
    where it was imported with its telemetry on. broken: a status that it answers to everything."""

    def __init__(self) -> None:
        self.models: dict[str, Card] = {}
        self.tokens: set[str] = set()
        self.asked: list[str] = []
        self.told: list[str] = []
        self.broken = 0
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self)

            def do_HEAD(self) -> None:
                hub.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        token = (request.headers.get("authorization") or "").removeprefix("Bearer ")
        (self.told if path == "/api/agent-harnesses" else self.asked).append(f"{request.command} {path}")
        if self.broken:
            return _send(request, self.broken)
        if token and token not in self.tokens:
            return _send(request, 401, message="Invalid credentials in Authorization header")
        file = "/resolve/" in path
        tree = "/tree/" in path
        place = "/resolve/" if file else "/tree/" if tree else "/revision/"
        name, _, rest = path.removeprefix("/api/models").strip("/").partition(place)
        model = self.models.get(name)
        if model is None:
            return _send(request, 404 if token else 401, "RepoNotFound", "Repository not found")
        revision = rest.partition("/")[0] or "main"
        if revision not in model.revisions:
            return _send(request, 404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if file and model.gated and token not in model.allowed:
            return _send(request, 403 if token else 401, "GatedRepo", model.refusal)
        if file and (content := model.contents.get(rest.partition("/")[2])) is not None:
            return _send_file(request, content)
        if tree:
            return _send(
                request, 200, body=[{"type": "file", "path": path, "size": size, "oid": path} for path, size in model.files.items()]
            )
        return _send(request, 200, body=None if file else _info(name, model))


def _info(name: str, model: Card) -> dict[str, Any]:
    told = {"chat_template": model.template} if model.template else {}
    return {
        "id": name, "modelId": name, "sha": "c0ffee", "private": False, "gated": "manual" if model.gated else False, "tags": [],
        "siblings": [{"rfilename": file, "size": size} for file, size in model.files.items()],
        "config": {"model_type": "llama", "tokenizer_config": told}, "safetensors": {"parameters": {"BF16": 8_030_261_248}, "total": 8_030_261_248},
    }  # fmt: skip


def _send_file(request: BaseHTTPRequestHandler, content: bytes) -> None:
    request.send_response(200)
    for name, value in (("ETag", f'"{sha256(content).hexdigest()}"'), ("X-Repo-Commit", "c0ffee"), ("Content-Length", str(len(content)))):
        request.send_header(name, value)
    request.end_headers()
    if request.command == "GET":
        request.wfile.write(content)


def _send(request: BaseHTTPRequestHandler, status: int, code: str = "", message: str = "", body: Any = None) -> None:
    text = json.dumps(body).encode() if body else b""
    request.send_response(status)
    for name, value in (("X-Error-Code", code), ("X-Error-Message", message), ("ETag", '"abc"'), ("X-Repo-Commit", "c0ffee")):
        if value:
            request.send_header(name, value)
    request.send_header("Content-Length", str(len(text)))
    request.end_headers()
    if request.command == "GET":
        request.wfile.write(text)
