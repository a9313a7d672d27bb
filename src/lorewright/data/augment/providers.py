"""Where the calls go and what proves who pays: base URL, model, and the key from the environment or a .env file."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from lorewright.chat import is_here
from lorewright.envs import CHECKOUT
from lorewright.errors import LorewrightError
from lorewright.recipe.model import Augment


@dataclass(frozen=True)
class Provider:
    base_url: str
    key_variable: str


PROVIDERS = {
    "own": Provider("", ""),
    "openai": Provider("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "xai": Provider("https://api.x.ai/v1", "XAI_API_KEY"),
    "anthropic": Provider("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
}


@dataclass(frozen=True)
class Endpoint:
    """A server to call. key: never shown, not even by repr. free: this machine answers, nobody sends a bill."""

    base_url: str
    model: str
    key: str = field(default="", repr=False)
    free: bool = False


def endpoint_of(settings: Augment, own_url: str, own_model: str) -> Endpoint:
    """The endpoint that the settings mean.

    own_url, own_model: what the recipe itself serves (http://127.0.0.1:8000/v1, the recipe's name).
    Raises LorewrightError when the key is not set anywhere, or no model is named.
    """
    provider = PROVIDERS[settings.endpoint]
    own = settings.endpoint == "own" and not settings.base_url
    variable = settings.key_variable or ("" if settings.base_url else provider.key_variable)
    model = settings.model or (own_model if own else "")
    if not model:
        raise LorewrightError("no model is named for this endpoint", remedy="set data.augment.model")
    url = settings.base_url or (own_url if own else provider.base_url)
    return Endpoint(url.rstrip("/"), model, key_of(variable) if variable else "", free=own or is_here(url))


def key_of(variable: str) -> str:
    """The key in that variable: from the environment, else .env here, in the checkout or in the home folder.

    Raises LorewrightError, which names the variable and never its value.
    """
    from dotenv import dotenv_values

    key = os.environ.get(variable, "").strip()
    for folder in (Path.cwd(), CHECKOUT, Path.home()):
        file = folder / ".env"
        if not key and file.is_file():
            key = (dotenv_values(file, interpolate=False).get(variable) or "").strip()
    if not key:
        raise LorewrightError(f"{variable} is not set", remedy=f"put {variable}=… into .env here or in your home folder, or export it")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise LorewrightError(f"{variable} holds characters that no key has", remedy="copy the key again, without quotes or line ends")
    return key
