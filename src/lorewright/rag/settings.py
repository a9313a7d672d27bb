"""What one proxy is told, as the JSON file that the service is started with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.rag.retrieve import Search
from lorewright.recipe import Rerank


@dataclass(frozen=True)
class ProxySettings:
    """upstream: base address of the model server. index: folder of the lore index; None forwards without lore.

    top_k: most passages per question. max_distance: cosine, 0 to 2. recipe: name shown in /stats.
    retrieval: the other fields of Search, where they are not its defaults; rerank as a mapping.
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

    @property
    def search(self) -> Search:
        """How passages are looked for when a request does not say otherwise."""
        rerank = self.retrieval.get("rerank")
        more = {**self.retrieval, "rerank": Rerank(**rerank) if rerank else None}
        return Search(top_k=self.top_k, max_distance=self.max_distance, **more)


KINDS: dict[str, tuple[type, ...]] = {
    "upstream": (str,),
    "index": (str, type(None)),
    "embedding_model": (str,),
    "top_k": (int,),
    "max_distance": (int, float),
    "host": (str,),
    "port": (int,),
    "recipe": (str,),
    "retrieval": (dict,),
}


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
    return ProxySettings(**{**values, "index": index, "upstream": upstream, "max_distance": float(values["max_distance"])})


def _problems(values: dict[str, Any]) -> list[str]:
    names = [part.name for part in fields(ProxySettings)]
    needed = [part.name for part in fields(ProxySettings) if part.default_factory is MISSING]
    wrong = [f"{name} is missing" for name in needed if name not in values]
    wrong += [f"{name} is unknown" for name in values if name not in names]
    for name in names:
        if name in values and (not isinstance(values[name], KINDS[name]) or isinstance(values[name], bool)):
            wrong.append(f"{name} must be {' or '.join(kind.__name__ for kind in KINDS[name])}")
    if isinstance(values.get("upstream"), str) and not values["upstream"].startswith(("http://", "https://")):
        wrong.append("upstream must start with http:// or https://")
    return wrong
