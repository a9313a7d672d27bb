"""Which files a tokenizer is, and how it comes beside an adapter whose trainer left none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from lorewright.models.hub import snapshot
from lorewright.recipe import is_folder

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tekken.json")  # each is one, or the heart of one
BESIDE = ("tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json", "added_tokens.json", "merges.txt")
FILES = (*TOKENIZERS, *BESIDE)


def has_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() and (folder / name).stat().st_size for name in TOKENIZERS)


def beside_adapter(adapter: Path, model: str) -> str:
    """Sees that the folder can be loaded by itself. Returns what a person should know, in words; "" where the trainer has left one.

    model: the base that was trained, a folder or a name of the hub. What the adapter has already, as its template, stays.
    """
    if has_tokenizer(adapter):
        return ""
    base = Path(model) if is_folder(model) else snapshot(model)
    if not base or not has_tokenizer(base):
        return "the trainer left no tokenizer beside the adapter, and the base model's is not here: put its files there by hand"
    for name in FILES:
        if (base / name).is_file() and not (adapter / name).exists():
            shutil.copyfile(base / name, adapter / name)
    return "the trainer left no tokenizer beside the adapter; the base model's was put there, without tokens that the training added"


def highest_token(folder: Path) -> int | None:
    """The highest id that the folder's tokenizer.json gives out; -1 where it does not tell, None where it cannot be read."""
    try:
        found = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        vocabulary = found.get("model", {}).get("vocab", {}) if isinstance(found.get("model", {}), dict) else {}
        ids = list(vocabulary.values()) if isinstance(vocabulary, dict) else [len(vocabulary) - 1]  # a list is in the order of the ids
        ids += [token["id"] for token in found.get("added_tokens") or ()]
    except FileNotFoundError:
        return -1
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return max(ids, default=-1)
