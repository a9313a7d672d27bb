"""Completes a merged model folder with the tokenizer and template that were trained with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from lorewright.errors import LorewrightError
from lorewright.models.tokenizer import FILES


def complete(merged: Path, adapter: Path) -> None:
    """The adapter's tokenizer replaces the base's: training may have added tokens or set the template."""
    for name in FILES:
        if (adapter / name).exists():
            shutil.copyfile(adapter / name, merged / name)


def check_whole(merged: Path) -> dict[str, int]:
    """Checks that the folder holds all that vLLM needs; returns how many shards and bytes of weights it has.

    Raises LorewrightError naming what is missing.
    """
    shards = sorted(merged.glob("*.safetensors"))
    index = merged / "model.safetensors.index.json"
    wanted = sorted(set(json.loads(index.read_text())["weight_map"].values())) if index.exists() else ["model.safetensors"]
    missing = [name for name in ("config.json", "tokenizer_config.json", *wanted) if not (merged / name).exists()]
    if missing:
        raise LorewrightError(f"the merged model lacks {', '.join(missing)}", where=str(merged), remedy="run the merge again with --force")
    return {"shards": len(shards), "bytes": sum(shard.stat().st_size for shard in shards)}
