"""Whether a text begins with the token for a beginning, as the model was trained: engines put it there by what the GGUF file says.

The converter goes by the tokenizer's files alone, and where these are silent llama.cpp has a default for each kind. A chat is begun by its
template, whatever the tokenizer does with plain text; a model that is told otherwise than it was trained answers a little worse, always.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from lorewright.manifest import read_json
from lorewright.models.rendering import NotRenderedError, template_of

SETTINGS = "tokenizer_config.json"


def bos_wanted(model: Path, *, chats: bool = True) -> bool | None:
    """None where nothing tells. chats: whether it was trained on chats; else the tokenizer's way with plain text counts."""
    template = template_of(model)
    bos = template.named.get("bos_token", "")
    if not bos:
        return None
    if chats and template.text:
        with contextlib.suppress(NotRenderedError):
            return template.render([{"role": "user", "content": "?"}]).startswith(bos)
    return _of_plain_text(model / "tokenizer.json", bos)


def _of_plain_text(file: Path, bos: str) -> bool | None:
    from tokenizers import Tokenizer

    if not file.is_file():
        return None
    tokens: list[str] = Tokenizer.from_file(str(file)).encode("a").tokens
    return tokens[:1] == [bos]


@contextlib.contextmanager
def told(model: Path, folder: Path, wanted: bool | None) -> Iterator[Path]:
    """The model's folder as the converter shall see it, for so long: links to its files, and settings that say what is wanted."""
    view = folder / f"WORK.{model.name}"
    shutil.rmtree(view, ignore_errors=True)
    view.mkdir()
    try:
        for file in model.iterdir():
            if file.name != SETTINGS or wanted is None:
                (view / file.name).symlink_to(file.resolve())
        if wanted is not None:
            settings = (read_json(model / SETTINGS) or {}) | {"add_bos_token": wanted}
            (view / SETTINGS).write_text(json.dumps(settings, ensure_ascii=False, indent=1), encoding="utf-8")
        yield view
    finally:
        shutil.rmtree(view, ignore_errors=True)
