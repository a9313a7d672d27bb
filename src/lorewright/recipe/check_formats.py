"""What the schema cannot say of the data section's formats: keys of another format, lengths that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lorewright.recipe.model import FORMAT_PARTS
from lorewright.recipe.source import KeyPath

JOBS = {"qa": "qa", "charts": "answers"}  # what augmentation must do for a format
PASSAGES = ("passages", "completion")
AXOLOTL_LENGTH = 512  # Axolotl's own sequence_len where none is set


def format_problems(data: Mapping[str, Any], axolotl: Any) -> Iterator[tuple[KeyPath, str]]:
    """(place, problem) for the data section as it was written."""
    chosen = data.get("format", "passages")
    for part, formats in FORMAT_PARTS.items():
        if part in data and chosen not in formats:
            yield ("data", part), f"is for format {' and '.join(formats)}; this recipe's is {chosen}"
    if chosen in FORMAT_PARTS["pairs"]:
        yield from _lengths(_part(data, "pairs"), axolotl)
    if chosen in PASSAGES:
        yield from _passage_length(_part(data, "chunk"), axolotl)
    job = _part(data, "augment").get("job")
    if job in JOBS.values() and JOBS.get(chosen, job) != job:
        yield ("data", "augment", "job"), f"must be {JOBS[chosen]} for format {chosen}"
    elif job == "qa" and chosen != "qa":
        yield ("data", "augment", "job"), f"questions about passages make format qa; this recipe's is {chosen}"
    charts = _part(data, "charts")
    first, last = charts.get("start_year", 1940), charts.get("end_year", 2010)
    if isinstance(first, int) and isinstance(last, int) and first > last:
        yield ("data", "charts", "start_year"), f"must be at most charts.end_year ({last}), got {first}"


def _lengths(pairs: Mapping[str, Any], axolotl: Any) -> Iterator[tuple[KeyPath, str]]:
    longest, kept = pairs.get("max_tokens", 2048), pairs.get("context_keep", 256)
    if not (isinstance(longest, int) and isinstance(kept, int)):
        return
    if kept * 2 > longest:
        yield ("data", "pairs", "context_keep"), f"must be at most half of pairs.max_tokens ({longest}), got {kept}"
    limit = axolotl.get("sequence_len", AXOLOTL_LENGTH) if isinstance(axolotl, Mapping) else longest
    if isinstance(limit, int) and longest > limit:
        yield (
            ("data", "pairs", "max_tokens"),
            f"must be at most axolotl.sequence_len ({limit}), got {longest}; Axolotl drops longer examples",
        )


def _passage_length(chunk: Mapping[str, Any], axolotl: Any) -> Iterator[tuple[KeyPath, str]]:
    limit = axolotl.get("sequence_len", AXOLOTL_LENGTH) if isinstance(axolotl, Mapping) else None
    longest = chunk.get("max")
    if chunk.get("unit", "tokens") == "tokens" and isinstance(limit, int) and isinstance(longest, int) and longest > limit:
        yield ("data", "chunk", "max"), f"must be below axolotl.sequence_len ({limit}), got {longest}; Axolotl drops longer examples"


def _part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    given = data.get(name)
    return given if isinstance(given, Mapping) else {}
