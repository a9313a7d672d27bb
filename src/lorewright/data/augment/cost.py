"""Tokens and dollars: guessed before, counted after."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lorewright.data.augment.providers import Endpoint

_DATED = re.compile(r"-(?:\d{4,8}|\d{4}-\d\d-\d\d|latest)\Z")
_CJK = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")


@dataclass(frozen=True)
class Price:
    """Dollars for a million tokens."""

    input: float
    output: float


@dataclass(frozen=True)
class Tokens:
    """Tokens sent and tokens written."""

    input: int = 0
    output: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.input + other.input, self.output + other.output)

    def dollars(self, price: Price) -> float:
        return (self.input * price.input + self.output * price.output) / 1e6

    def __str__(self) -> str:
        return f"{self.input:,} tokens in, {self.output:,} out"


def price_of(endpoint: Endpoint, prices: Mapping[str, Mapping[str, float]]) -> Price | None:
    """What the model costs: prices of the recipe first, then our table; a dated name costs what its model does. None: unknown."""
    table = dict(prices) if endpoint.free else _listed() | dict(prices)
    found = table.get(endpoint.model) or table.get(_DATED.sub("", endpoint.model))
    if found:
        return Price(float(found["input"]), float(found["output"]))
    return Price(0.0, 0.0) if endpoint.free else None


@cache
def _listed() -> dict[str, Mapping[str, float]]:
    return dict(yaml.safe_load((Path(__file__).parent / "prices.yaml").read_text(encoding="utf-8")))


def guessed_tokens(text: str) -> int:
    """About how many tokens: one for a Chinese, Japanese or Korean character, one for four characters of anything else."""
    wide = len(_CJK.findall(text))
    return wide + (len(text) - wide + 3) // 4


def counted(records: Iterable[Mapping[str, Any]]) -> Tokens:
    """What the server counted, over journal records; an answer without figures counts as none."""
    total = Tokens()
    for record in records:
        usage = record.get("usage")
        if isinstance(usage, dict):
            total += Tokens(_whole(usage.get("prompt_tokens")), _whole(usage.get("completion_tokens")))
    return total


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def said_dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 0.01 or amount == 0 else "under $0.01"
