"""Can the base model be had from the hub: asked before anything is fetched. One or two small requests, none with HF_HUB_OFFLINE."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorewright.models.hub import home

TIMEOUT = 5.0  # seconds for a request
TOKENS = "https://huggingface.co/settings/tokens"
YES = ("1", "on", "yes", "true")


@dataclass(frozen=True)
class Offered:
    """What the hub offers under a name. files: size in bytes by name. tokenizer_config: the parts of it that the hub tells, or None."""

    files: Mapping[str, int]
    parameters: int = 0
    tokenizer_config: Mapping[str, Any] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """why, remedy: for a person."""

    why: str
    remedy: str


def offline() -> bool:
    """Whether the hub's library is told to stay away from the network."""
    return any(os.environ.get(name, "").lower() in YES for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))


def token_from() -> str:
    """Where the token comes from, as the hub's library looks for it; empty where there is none."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if os.environ.get(name, "").strip():
            return name
    file = Path(os.environ.get("HF_TOKEN_PATH") or home() / "token").expanduser()
    try:
        return str(file) if file.read_text(encoding="utf-8").strip() else ""
    except OSError:
        return ""


def ask(name: str, revision: str) -> Offered | Refused:
    """Asks for the list of files, then whether one of them may be fetched: the list of a gated model is open to everybody."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the library is imported; it also asks for a list of agents
    from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    endpoint, given = os.environ.get("HF_ENDPOINT") or None, token_from()
    try:
        info = HfApi(endpoint=endpoint).model_info(name, revision=revision or None, timeout=TIMEOUT, files_metadata=True)
        if info.gated or info.private:
            url = hf_hub_url(name, "config.json", revision=revision or None, endpoint=endpoint)
            get_hf_file_metadata(url, token=bool(given), timeout=TIMEOUT, endpoint=endpoint)
    except HfHubHTTPError as problem:
        return _refused(name, revision, problem.response, given)
    except Exception as problem:  # noqa: BLE001 (a name it cannot use, and whatever its HTTP library raises where there is no network)
        return _unreachable(name, problem, endpoint)
    files = {file.rfilename: int(file.size or 0) for file in info.siblings or ()}
    config = dict(info.config or {})
    return Offered(files, int(info.safetensors.total) if info.safetensors else 0, config.get("tokenizer_config"), config)


def _refused(name: str, revision: str, answer: Any, given: str) -> Refused:
    """What the hub's answer means. It says 401 for a missing token, a wrong one, and a model that is not there."""
    code, message = answer.headers.get("X-Error-Code", ""), answer.headers.get("X-Error-Message", "")
    page = f"https://huggingface.co/{name}"
    if code == "GatedRepo" and not given:
        return Refused(
            f"{name} is gated, and there is no token", f"accept its licence at {page} and put HF_TOKEN=hf_… into .env ({TOKENS})"
        )
    if code == "GatedRepo":
        return _not_allowed(name, page, message, given)
    if code == "RevisionNotFound":
        return Refused(f"{name} has no revision {revision}", f"see {page}/tree/main; base_model is name@revision")
    if "Invalid credentials" in message:
        return Refused(
            f"the hub does not know the token in {given or 'HF_TOKEN'}", f"make a new one at {TOKENS} and put it into .env as HF_TOKEN"
        )
    if answer.status_code in (401, 404) or code == "RepoNotFound":
        hidden = "that the token's account may see" if given else "that is open to all (a private one needs HF_TOKEN in .env)"
        return Refused(f"the hub has no model {name} {hidden}", "check base_model")
    if answer.status_code == 403:
        return Refused(
            f"the hub refuses {name} to this token: {message or 'no reason given'}", f"give the token the right to read it: {TOKENS}"
        )
    return Refused(
        f"the hub answers {answer.status_code} for {name}", "try again later, or point base_model at a folder that holds the model"
    )


def _not_allowed(name: str, page: str, message: str, given: str) -> Refused:
    if "fine-grained" in message:
        return Refused(f"the token in {given} may not read gated models, and {name} is one", f"allow it in the token's settings: {TOKENS}")
    if "awaiting" in message:
        return Refused(
            f"the request for {name} has not been answered yet", f"wait for its authors, or choose another base_model; see {page}"
        )
    return Refused(f"the licence of {name} is not accepted by the account of the token in {given}", f"accept it at {page}")


def _unreachable(name: str, problem: Exception, endpoint: str | None) -> Refused:
    if type(problem).__name__ == "HFValidationError":
        return Refused(f"{name} is no name that the hub can have", "base_model is ORGANISATION/NAME, or a folder beginning with / or ./")
    reason = (str(problem).splitlines() or [type(problem).__name__])[0][:120]
    return Refused(
        f"{name} is not on this machine, and {endpoint or 'the hub'} cannot be reached ({reason})",
        "check the network, or point base_model at a folder that holds the model",
    )
