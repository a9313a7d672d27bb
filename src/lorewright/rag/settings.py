"""What one proxy is told, as the JSON file that the service is started with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.rag.inject import TEMPLATE
from lorewright.rag.retrieve import Search
from lorewright.recipe.model import Limits, Rerank, Timeouts


@dataclass(frozen=True)
class ProxySettings:
    """upstream: base address of the model server. index: folder of the lore index; None forwards without lore.

    top_k: most passages per question. max_distance: cosine, 0 to 2. recipe: name shown in /stats.
    retrieval: the other fields of Search, where they are not its defaults; rerank as a mapping.
    The rest are the recipe's keys below `rag`, by their names.
    """

    upstream: str
    index: Path | None
    embedding_model: str
    top_k: int
    max_distance: float
    host: str
    port: int
    recipe: str
    retrieval: Mapping[str, Any] = field(default_factory=dict)
    budget: float = 0.5
    position: str = "system"
    introduction: str | None = None
    template: str = TEMPLATE
    overflow: str = "error"
    max_active: int = 256
    max_waiting: int = 256
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: Limits = field(default_factory=Limits)
    extra_fields: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()

    @property
    def search(self) -> Search:
        """How passages are looked for when a request does not say otherwise."""
        rerank = self.retrieval.get("rerank")
        more = {**self.retrieval, "rerank": Rerank(**rerank) if rerank else None}
        return Search(top_k=self.top_k, max_distance=self.max_distance, **more)


NUMBER = (int, float)
KINDS: dict[str, tuple[type, ...]] = {
    "upstream": (str,), "index": (str, type(None)), "embedding_model": (str,), "top_k": (int,), "max_distance": NUMBER,
    "host": (str,), "port": (int,), "recipe": (str,), "retrieval": (dict,),
    "budget": NUMBER, "position": (str,), "introduction": (str, type(None)), "template": (str,), "overflow": (str,),
    "max_active": (int,), "max_waiting": (int,), "timeouts": (dict,), "limits": (dict,),
    "extra_fields": (list,), "allowed_hosts": (list,), "cors_origins": (list,),
}  # fmt: skip
PARTS: dict[str, Any] = {"timeouts": Timeouts, "limits": Limits}
NEEDED = ("upstream", "index", "embedding_model", "top_k", "max_distance", "host", "port", "recipe")


def read_settings(path: Path) -> ProxySettings:
    """Reads and checks the file. Raises LorewrightError naming everything that is wrong with it."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise LorewrightError(f"the proxy's settings cannot be read: {problem}", where=str(path)) from None
    if not isinstance(values, dict):
        raise LorewrightError("the proxy's settings are not a JSON object", where=str(path))
    wrong = _problems(values)
    if wrong:
        raise LorewrightError("; ".join(wrong), where=str(path), remedy="start the proxy through `lorewright rag`, which writes this file")
    index = path.resolve().parent / values["index"] if values["index"] is not None else None
    # The API's own prefix is often written along; paths are added to the bare address here.
    upstream = values["upstream"].rstrip("/").removesuffix("/v1")
    parts = {name: PARTS[name](**_frozen(values[name])) for name in PARTS if name in values}
    return ProxySettings(**_frozen(values) | parts | {"index": index, "upstream": upstream})


def _frozen(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _problems(values: dict[str, Any]) -> list[str]:
    wrong = [f"{name} is missing" for name in NEEDED if name not in values]
    wrong += [f"{name} is unknown" for name in values if name not in KINDS]
    for name, kinds in KINDS.items():
        if name in values and (not isinstance(values[name], kinds) or isinstance(values[name], bool)):
            wrong.append(f"{name} must be {' or '.join(kind.__name__ for kind in kinds)}")
    for name, part in PARTS.items():
        if isinstance(values.get(name), dict):
            known = {one.name for one in fields(part)}
            wrong += [f"{name}.{key} is unknown" for key in values[name] if key not in known]
    if isinstance(values.get("upstream"), str) and not values["upstream"].startswith(("http://", "https://")):
        wrong.append("upstream must start with http:// or https://")
    return wrong
