"""The proxy's keys, and where it needs one. Light: a stage asks before it starts anything."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence

from lorewright.errors import LorewrightError

VARIABLE = "LOREWRIGHT_API_KEYS"


def api_keys() -> tuple[str, ...]:
    """The keys of the environment, separated by commas or spaces; the verbs of lorewright read .env into it."""
    return tuple(re.findall(r"[^,\s]+", os.environ.get(VARIABLE, "")))


def require_key(host: str, keys: Sequence[str]) -> None:
    """Raises LorewrightError where others could reach a proxy that asks for no key."""
    if not keys and not is_loopback(host):
        remedy = f"set {VARIABLE} in the environment or .env to one or more keys that clients send, or set rag.host to 127.0.0.1"
        raise LorewrightError("the proxy would be open to everybody who can reach this address", where=f"rag.host {host}", remedy=remedy)


def is_address(name: str) -> bool:
    """Whether it is an address of numbers, of version 4 or 6."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(name: str) -> bool:
    """Whether only this machine can reach it."""
    return name.lower() == "localhost" or (is_address(name) and ipaddress.ip_address(name).is_loopback)
