"""What the training's answers end with, and whether a model stops there."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lorewright.models.ends import special_tokens


@dataclass(frozen=True)
class End:
    """token, text: what the training's answers end with; -1 and "" where they have no sign of it. known: what the model's own settings
    end at. stops: whether the server did when it was made to write the token; None where none was asked."""

    token: int
    text: str
    known: tuple[int, ...] = ()
    stops: bool | None = None

    @property
    def held(self) -> bool:
        return self.token < 0 or (self.token in self.known if self.stops is None else self.stops)


def trained_end(samples: Path, tokenizer: Path) -> tuple[int, str]:
    """(id, text) of the special token that most of the trained answers end with; (-1, "") where none does.

    samples: samples.jsonl of the ledger, which is what Axolotl made of the set.
    """
    tokens, found = special_tokens(tokenizer), Counter[str]()
    for line in samples.read_text(encoding="utf-8").splitlines():
        trained = [text for is_trained, text in json.loads(line)["spans"] if is_trained]
        last = trained[-1].rstrip() if trained else ""
        found.update([max((token for token in tokens if last.endswith(token)), key=len, default="")])
    known = [(token, count) for token, count in found.most_common() if token]
    return (tokens[known[0][0]], known[0][0]) if known else (-1, "")


def known_ends(model: Path) -> tuple[int, ...]:
    """What a server and transformers end an answer at, by the model's folder."""
    for name in ("generation_config.json", "config.json"):
        try:
            given = json.loads((model / name).read_text(encoding="utf-8")).get("eos_token_id")
        except (OSError, ValueError, AttributeError):
            continue
        if given is not None:
            return tuple(given) if isinstance(given, list) else (int(given),)
    return ()
