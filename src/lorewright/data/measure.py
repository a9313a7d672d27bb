"""How long a text is, in the recipe's unit."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.recipe import is_folder, split_revision


def measure(unit: str, base_model: str) -> Callable[[str], int]:
    """A function from text to its length in tokens of the base model, words, or characters.

    base_model: a folder or a hub name (name@revision), used for tokens only.
    Raises LorewrightError when the model's tokenizer cannot be had.
    """
    if unit == "characters":
        return len
    if unit == "words":
        return lambda text: len(text.split())
    tokenizer = _tokenizer(base_model)

    @lru_cache(maxsize=4096)
    def tokens(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    return tokens


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
