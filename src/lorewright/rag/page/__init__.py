"""The writer's desk: the page that the proxy shows at `/`. Plain files beside this one, served as they are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

HERE = Path(__file__).parent
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Only this proxy is asked for anything, and nothing that a model or a lore file says can run: no inline script, no markup from text.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    # Asked for again each time, and sent only when another version of lorewright brought another file.
    "cache-control": "no-cache",
}


@dataclass(frozen=True)
class PageFile:
    """One file in memory. etag: changes with its content."""

    content: bytes
    kind: str
    etag: str

    async def answer(self, request: Request) -> Response:
        headers = {**HEADERS, "etag": self.etag}
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=headers)
        return Response(self.content, headers=headers, media_type=self.kind)


def add_page(app: FastAPI) -> None:
    """Adds `/` and `/page/NAME` for each file of the page. They are read once, here."""
    for path in sorted(file for file in HERE.iterdir() if file.suffix in TYPES):
        route = "/" if path.name == "index.html" else f"/page/{path.name}"
        app.router.routes.append(Route(route, _read(path).answer, methods=["GET"]))


def _read(path: Path) -> PageFile:
    content = path.read_bytes()
    return PageFile(content, TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:20]}"')
