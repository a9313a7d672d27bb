"""Completes a merged model's folder with what vLLM needs besides the weights, and sees that all of it is there and whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.models.ends import end_tokens
from lorewright.models.tokenizer import FILES, has_tokenizer
from lorewright.models.weights import Shapes, tensors_of

INDEX, SINGLE, GENERATION = "model.safetensors.index.json", "model.safetensors", "generation_config.json"
FROM_TORCH = "pytorch_model.safetensors"  # how Axolotl calls what it makes of a single pytorch_model.bin; nobody looks for it there
AGAIN = "run the merge again with --force"
ENDS = "eos_token_id"


def complete(merged: Path, adapter: Path) -> None:
    """The adapter's tokenizer replaces the base's: training may have added tokens or set the template.

    What ends an answer, by that tokenizer and template, is added to what the base's generation config has: without it a server writes on.
    """
    for name in FILES:
        if (adapter / name).exists():
            shutil.copyfile(adapter / name, merged / name)
    if (merged / FROM_TORCH).is_file() and not (merged / INDEX).exists():
        (merged / FROM_TORCH).rename(merged / SINGLE)
    settings = _json(merged / GENERATION) or {}
    given = settings.get(ENDS, (_json(merged / "config.json") or {}).get(ENDS))
    known = [] if given is None else list(given) if isinstance(given, list) else [given]
    ends = list(dict.fromkeys([*known, *end_tokens(merged)]))
    if (ends and ends != known) or ENDS not in settings:
        settings |= {ENDS: ends[0] if len(ends) == 1 else ends} if ends else {}
        (merged / GENERATION).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def check_whole(merged: Path, base: Shapes | None = None) -> dict[str, int]:
    """Checks that the folder holds all that vLLM needs; returns how many shards and bytes of weights it has.

    base: the base model's tensors, all of which must be there, in their shapes but for the vocabulary. Raises LorewrightError naming
    everything that is missing, cut off or at odds.
    """
    missing = [name for name in ("config.json", GENERATION, "tokenizer_config.json") if not (merged / name).is_file()]
    missing += [] if has_tokenizer(merged) else ["a tokenizer"]
    wrong = [f"it lacks {', '.join(missing)}"] if missing else []
    there = [merged / name for name in ("config.json", GENERATION) if (merged / name).is_file()]
    wrong += [f"{file.name} cannot be read" for file in there if _json(file) is None]
    placed, faults = _placed(merged)
    found = Shapes()
    for name in sorted(set(placed.values())):
        shapes, said = _shard(merged / name, {tensor for tensor, shard in placed.items() if shard == name})
        faults += said
        found |= shapes
    wrong += faults or [*_unlike(found, base or {}), *_rows(merged, found)]
    if wrong:
        raise LorewrightError(f"the merged model is not whole: {'; '.join(wrong)}", where=str(merged), remedy=AGAIN)
    shards = set(placed.values())
    return {"shards": len(shards), "bytes": sum((merged / shard).stat().st_size for shard in shards)}


def _placed(merged: Path) -> tuple[dict[str, str], list[str]]:
    """(tensor -> its shard, what is wrong with the index). A model in one file needs no index."""
    index = merged / INDEX
    if index.is_file():
        found = (_json(index) or {}).get("weight_map")
        if not isinstance(found, dict) or not found:
            return {}, [f"{INDEX} cannot be read"]
        return found, []
    if (merged / SINGLE).is_file():
        tensors, fault = tensors_of(merged / SINGLE)
        return dict.fromkeys(tensors, SINGLE), [f"{SINGLE} {fault}"] if fault else [] if tensors else [f"{SINGLE} has nothing in it"]
    several = sorted(file.name for file in merged.glob("*.safetensors"))
    return {}, [f"{INDEX} is missing beside {len(several)} shards" if several else f"there is neither {SINGLE} nor {INDEX}"]


def _shard(file: Path, wanted: set[str]) -> tuple[Shapes, list[str]]:
    """(its tensors, what is wrong with it)"""
    if not file.is_file():
        return {}, [f"{file.name} is missing"]
    tensors, fault = tensors_of(file)
    if fault:
        return {}, [f"{file.name} {fault}"]
    lacking = sorted(wanted - tensors.keys())
    said = [f"{file.name} lacks {', '.join(lacking[:3])}{f' and {len(lacking) - 3} more' if len(lacking) > 3 else ''}"] if lacking else []
    return {name: tensor.shape for name, tensor in tensors.items()}, said


def _unlike(found: Shapes, base: Shapes) -> Iterator[str]:
    lacking = sorted(base.keys() - found.keys())
    if lacking:
        yield f"{len(lacking)} of the base model's {len(base)} tensors are missing, {lacking[0]} the first"
    other = [name for name in base.keys() & found.keys() if base[name][1:] != found[name][1:]]
    if other:
        yield f"{min(other)} has another shape than in the base model"


def _rows(merged: Path, found: Shapes) -> Iterator[str]:
    """vLLM makes room for as many tokens as the config says."""
    said = (_json(merged / "config.json") or {}).get("vocab_size")
    rows = next((shape[0] for name, shape in found.items() if name.endswith("embed_tokens.weight")), None)
    if isinstance(said, int) and rows is not None and rows != said:
        yield f"config.json says {said:,} tokens, and the embedding has {rows:,} rows"


def _json(file: Path) -> dict[str, Any] | None:
    """None where it is not there or cannot be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
