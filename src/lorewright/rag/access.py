"""Who may use the proxy: keys, the names it answers to, and web pages of other origins. All refusals are errors in OpenAI's shape."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Receive, Scope, Send

from lorewright.rag.api_error import ApiError
from lorewright.rag.keys import is_address, is_loopback
from lorewright.rag.upstream import Header

OPEN = ("/health", "/ready", "/openapi.json", "/")  # say nothing of anybody; the page at / asks for the key itself
OPEN_BELOW = "/page/"
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104


@dataclass(frozen=True)
class Guard:
    """ASGI middleware. host: what the proxy is bound to. keys: empty for none. vllm_key: the model server's own, instead of ours."""

    app: ASGIApp
    host: str
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    keys: tuple[str, ...] = field(default=(), repr=False)
    vllm_key: str = field(default="", repr=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope["path"], scope["method"], scope["headers"])
        if refusal:
            await refusal.response()(scope, receive, send)
            return
        if self.keys:  # ours is nothing to the model server, and must not reach its log
            own = [(b"authorization", b"Bearer " + self.vllm_key.encode())] if self.vllm_key else []
            scope = {**scope, "headers": [*(one for one in scope["headers"] if one[0] != b"authorization"), *own]}
        await self.app(scope, receive, send)

    def _refusal(self, path: str, method: str, headers: Sequence[Header]) -> ApiError | None:
        hosts = [value.decode("latin-1").lower() for name, value in headers if name == b"host"]
        for host in hosts or [""]:
            if not self._is_ours(_name(host)):
                said = f"the proxy does not answer to the name {_name(host)[:80]!r}; the recipe's rag.allowed_hosts lists further names"
                return ApiError(403, said, "permission_error", code="host_not_allowed")
        for origin in (value.decode("latin-1").lower() for name, value in headers if name == b"origin"):
            if not self._may_ask(origin, hosts):
                said = f"pages of {origin[:80]!r} may not use the proxy; the recipe's rag.cors_origins lists those that may"
                return ApiError(403, said, "permission_error", code="origin_not_allowed")
        if self.keys and method != "OPTIONS" and path not in OPEN and not path.startswith(OPEN_BELOW):
            return self._key_trouble(headers)
        return None

    def _is_ours(self, name: str) -> bool:
        if name in ("localhost", self.host.lower(), *(host.lower() for host in self.allowed_hosts)):
            return True
        # A page can point its own name at this machine, never an address of numbers.
        return is_loopback(name) or (self.host in EVERYWHERE and is_address(name))

    def _may_ask(self, origin: str, hosts: Sequence[str]) -> bool:
        if origin != "null" and not origin.startswith(("http://", "https://")):
            return True  # an app's window, not a page of the web
        listed = "*" in self.cors_origins or origin in (one.lower() for one in self.cors_origins)
        return listed or origin.partition("://")[2] in hosts

    def _key_trouble(self, headers: Sequence[Header]) -> ApiError | None:
        given = [value for name, value in headers if name == b"authorization"]
        scheme, _, key = (given[0] if given else b"").partition(b" ")
        if scheme.lower() == b"bearer" and self._is_key(key.strip()):
            return None
        said = "this proxy wants a key: send the header `Authorization: Bearer KEY`" if not given else "that is not a key of this proxy"
        return ApiError(401, said, code="invalid_api_key", headers={"www-authenticate": "Bearer"})

    def _is_key(self, given: bytes) -> bool:
        """In the same time whichever key it is, and however much of it is right."""
        asked = hashlib.sha256(given).digest()
        return sum([hmac.compare_digest(asked, hashlib.sha256(key.encode()).digest()) for key in self.keys]) > 0


def _name(host: str) -> str:
    """A Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")
