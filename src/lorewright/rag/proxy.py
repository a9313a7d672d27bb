"""What the routes share: settings, the model server, the lore, and what is known of the requests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from lorewright.rag.asked import Asked
from lorewright.rag.budget import Room
from lorewright.rag.embed import TextEmbedder, Vectors
from lorewright.rag.history import History
from lorewright.rag.inject import INTRODUCTION, Style
from lorewright.rag.lore import Lore
from lorewright.rag.places import Places
from lorewright.rag.retrieve import Retrieval, retrieve
from lorewright.rag.settings import ProxySettings
from lorewright.rag.store import Index
from lorewright.rag.tokens import TokenCounter
from lorewright.rag.upstream import Upstream


class LoreEmbedder(TextEmbedder, Protocol):
    """Also embeds passages, for /v1/embeddings: float32 (len(texts), dimension)."""

    def passages(self, texts: list[str]) -> Vectors: ...


@dataclass(frozen=True)
class Proxy:
    """What answers requests. Without lore or embedder it forwards as it is."""

    settings: ProxySettings
    upstream: Upstream
    lore: Lore | None
    embedder: LoreEmbedder | None
    counter: TokenCounter
    places: Places
    room: Room
    history: History = field(default_factory=History)

    @property
    def index(self) -> Index | None:
        """For its counts; to search it, use the lore."""
        return self.lore.index if self.lore else None

    def find(self, asked: Asked) -> Retrieval:
        """The passages that concern the request: blocks for as long as embedding and searching take."""
        text = asked.search_text
        if not (self.lore and self.embedder and text):
            return Retrieval()
        with self.lore.using() as index:
            return retrieve(index, self.embedder, text, replace(self.settings.search, **asked.given.lore.changes()))


def make_proxy(settings: ProxySettings, lore: Lore | None, embedder: LoreEmbedder | None) -> Proxy:
    upstream, history = Upstream(settings.upstream, settings.timeouts), History()
    room = Room(Style(settings.position, settings.introduction or INTRODUCTION, settings.template), settings.budget, settings.overflow)
    places = Places(settings.max_active, settings.max_waiting, settings.timeouts.queue, history.typical_seconds)
    return Proxy(settings, upstream, lore, embedder, TokenCounter(upstream), places, room, history)
