"""Which of the passages that were found are used: near enough or named, not too many of one file, and what stands beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from lorewright.rag.lexical import terms
from lorewright.rag.store import Hit, Index

# How much farther than rag.max_distance (cosine): the nearest passage if the question's words find one that its meaning finds too,
# and a passage that comes with a nearer one. Chosen by the first half of benchmarks/suites/retrieval.yaml.
AGREED = 0.1
COMPANY = 0.2


@dataclass(frozen=True)
class Dropped:
    """A passage found but not used, and why."""

    hit: Hit
    reason: str


def choose(found: Sequence[Hit], names: Set[str], top_k: int, max_distance: float, per_source: int) -> tuple[list[Hit], list[Dropped]]:
    """(the first top_k that may be used, up to top_k of those passed over).

    found: best first. A fused score says only which is better, not whether it is good. So the question is judged first: it concerns
    the lore if one passage is within max_distance, or a little farther while words and meaning agree on one, or if it has one of
    the lore's names. Then that passage may bring others that are farther, and a name is a reason however far the rest of the
    question is.
    """
    nearest = min((hit.distance for hit in found), default=0.0)
    agreed = AGREED if any(hit.found_by == "both" for hit in found) else 0.0
    if nearest > max_distance + agreed and not names:
        return [], [Dropped(hit, f"nothing is nearer than {max_distance:g}") for hit in found[:top_k]]
    limit = max_distance + COMPANY
    hits, dropped = list[Hit](), list[Dropped]()
    used = Counter[str]()
    for hit in found:
        if len(hits) == top_k:
            break
        source = hit.passage.source
        if hit.distance > limit and not _named(hit, names):
            dropped.append(Dropped(hit, f"farther than {limit:g}"))
        elif per_source and used[source] == per_source:
            dropped.append(Dropped(hit, f"already {per_source} from {source}"))
        else:
            used[source] += 1
            hits.append(hit)
    return hits, dropped[:top_k]


def add_neighbours(index: Index, hits: Sequence[Hit], reach: int) -> list[Hit]:
    """The hits, and behind them the passages of the same sections that stand beside them, each once."""
    added = {hit.name: hit for hit in hits}
    for hit in hits if reach else ():
        beside = index.catalogue.passages(name for name in index.catalogue.beside(hit.name, reach) if name not in added)
        added |= {name: replace(hit, passage=passage, found_by="neighbour", name=name) for name, passage in beside.items()}
    return list(added.values())


def _named(hit: Hit, names: Set[str]) -> bool:
    passage = hit.passage
    return bool(names) and not names.isdisjoint(terms(f"{passage.text} {' '.join(passage.tags)}"))
