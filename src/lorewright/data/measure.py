"""How long a text is, in the recipe's unit."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

from lorewright.data.tokens import WordCounts
from lorewright.errors import LorewrightError
from lorewright.recipe import is_folder, split_revision

# Scripts that put no space between words: each Han, kana or bopomofo sign counts as a word, a run of Thai, Lao, Myanmar or Khmer
# letters as one word for every four of them.
_SIGN = re.compile("[\u3005-\u3007\u3021-\u3029\u3031-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_RUN = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]+")
# Bytes of UTF-8 that begin no sign of these scripts.
_SPACED = bytes(byte for byte in range(256) if byte < 0xE0 or byte == 0xE2)
EXACT = ("characters", "words")
_PROBES = ("the end.", "“No!”", "7", "a—", "*", "雨。", "да", "é", "I", "it's")


@dataclass(frozen=True)
class Measure:
    """Lengths in one unit. Calling it, and many, are exact; the length of a joined text is estimated by sums, never below.

    unit: tokens, words or characters. many: lengths of several texts at once, which is faster. slack: how close to a limit a sum
    of lengths may come before the joined text has to be measured itself; 0 where sums are exact.
    """

    unit: str
    many: Callable[[Sequence[str]], list[int]]
    slack: int = 0
    _joints: dict[str, int] = field(default_factory=dict)

    def __call__(self, text: str) -> int:
        return self.many([text])[0]

    def joint(self, gap: str) -> int:
        """What a gap between two texts adds at most to the sum of their lengths."""
        if gap not in self._joints:
            self._joints[gap] = self._joint(gap)
        return self._joints[gap]

    def _joint(self, gap: str) -> int:
        if self.unit in EXACT:
            return len(gap) if self.unit == "characters" else 0
        alone = dict(zip(_PROBES, self.many(_PROBES), strict=True))
        pairs = list(product(_PROBES, _PROBES))
        joined = self.many([f"{before}{gap}{after}" for before, after in pairs])
        return max(0, *(length - alone[before] - alone[after] for length, (before, after) in zip(joined, pairs, strict=True)))


def as_measure(length: Callable[[str], int]) -> Measure:
    """Any function from text to length as a Measure."""
    if isinstance(length, Measure):
        return length
    return Measure("own", lambda texts: [length(text) for text in texts], slack=8)


def measure(unit: str, base_model: str) -> Measure:
    """Lengths in tokens of the base model, words, or characters.

    base_model: a folder or a hub name (name@revision), used for tokens only.
    Raises LorewrightError when the model's tokenizer cannot be had.
    """
    if unit == "characters":
        return Measure(unit, lambda texts: [len(text) for text in texts])
    if unit == "words":
        return Measure(unit, _words)
    tokenizer = _tokenizer(base_model)
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def tokens(texts: Sequence[str]) -> list[int]:
        return [len(encoded) for encoded in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    return Measure(unit, WordCounts(tokens), slack=8)


def _words(texts: Sequence[str]) -> list[int]:
    if not "".join(texts).encode("utf-8", "replace").translate(None, _SPACED):
        return [len(text.split()) for text in texts]
    return [_unspaced_words(text) for text in texts]


def _unspaced_words(text: str) -> int:
    spaced, signs = _SIGN.subn(" ", text)
    return len(spaced.split()) + signs + sum((len(run) - 1) // 4 for run in _RUN.findall(spaced))


@lru_cache(maxsize=2)
def _tokenizer(base_model: str) -> Any:
    from tokenizers import Tokenizer

    name, revision = split_revision(base_model)
    if is_folder(name):
        file = Path(name) / "tokenizer.json"
        if not file.exists():
            gone = "no such model folder" if not Path(name).exists() else "the model folder has no tokenizer.json"
            raise LorewrightError(gone, where=name, remedy="check base_model; for the test model run python models/make_tiny.py")
        return Tokenizer.from_file(str(file))
    from huggingface_hub import hf_hub_download

    try:
        return Tokenizer.from_file(hf_hub_download(name, "tokenizer.json", revision=revision or None))
    except Exception as problem:  # noqa: BLE001 (the hub's client raises many kinds; each means that the tokenizer cannot be had)
        raise LorewrightError(
            f"the tokenizer of {name} cannot be had: {str(problem).splitlines()[0][:160]}",
            remedy="check the name and the network, put HF_TOKEN into .env for a gated model, or set data.chunk.unit to words",
        ) from None
