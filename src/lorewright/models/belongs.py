"""Whether a base model, an adapter and a tokenizer belong together, told before anything is loaded.

An adapter that fits no tensor of the base is passed over by the merge, and the base model comes out as it was: so every tensor of the
adapter is looked up in the base by name and shape. Headers and JSON are read, and of the adapter alone its values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lorewright.errors import LorewrightError
from lorewright.manifest import read_json
from lorewright.models.adapter import WEIGHTS, Adapter
from lorewright.models.adapter_values import judge_values
from lorewright.models.tokenizer import highest_token
from lorewright.models.weights import Shapes, weights_of
from lorewright.recipe import is_folder, split_revision

RECORD = "nf4.json"  # convert writes it
IN_16_BITS = "merge with base_model set to a copy of the model in 16 bits"
SHOWN = 3  # so many of a kind are named
LAYER = re.compile(r"\b(?:layers|h|blocks|block)\.\d+\.")
EMBEDDING = re.compile(r"(?:^|\.)(?:embed_tokens|wte|word_embeddings|tok_embeddings|embed_in)$")
HEAD = re.compile(r"(?:^|\.)lm_head$")


@dataclass(frozen=True)
class Together:
    """What is to be merged. base: the base model's folder. model: its name or folder as it was trained. tokenizer: where its files are."""

    base: Path
    model: str
    adapter: Adapter
    tokenizer: Path


@dataclass(frozen=True)
class Judged:
    """modules: how many modules of the base must have changed after a merge, experts apart. warnings: what a person should know."""

    modules: int
    warnings: tuple[str, ...]


def check_together(parts: Together) -> Judged:
    """Raises LorewrightError with every reason why these cannot be merged."""
    adapter, weights = parts.adapter, weights_of(parts.base)
    if weights.faults:
        remedy = "fetch or copy the base model again"
        raise LorewrightError(f"the base model is not whole: {weights.faults[0]}", where=str(parts.base), remedy=remedy)
    _stored_in_nf4(parts)
    values = judge_values(adapter)
    _refuse("the adapter cannot be merged", [*_kind(adapter), *values.faults], adapter.folder, "take another checkpoint, or train again")
    shapes = weights.shapes
    wrong = list(_named(parts))
    _refuse("these experts cannot be merged", list(_into_mxfp4(adapter, shapes)), adapter.folder, IN_16_BITS)
    if shapes:  # a file of torch tells none
        wrong += [*_pairs(parts, shapes), *_whole(adapter, shapes), *_vocabulary(parts, shapes)]
    _refuse("base model, adapter and tokenizer do not belong together", wrong, adapter.folder, "name the base model it was trained on")
    plain = [module for module in adapter.pairs if not _expert(module)]
    return Judged(len(plain) + len(adapter.whole), (*_unlike(parts), *values.warnings))


def _stored_in_nf4(parts: Together) -> None:
    """Raises LorewrightError for a base model in bitsandbytes' 4 bits: nothing can be added to it."""
    method = ((read_json(parts.base / "config.json") or {}).get("quantization_config") or {}).get("quant_method")
    if method == "bitsandbytes":
        made_from = (read_json(parts.base / RECORD) or {}).get("source")
        remedy = f"merge with base_model set to the model it was made from{f', {made_from}' if made_from else ''}"
        raise LorewrightError("the base model is stored in 4 bits, and an adapter goes into 16", where=str(parts.base), remedy=remedy)


def _into_mxfp4(adapter: Adapter, base: Shapes) -> Iterator[str]:
    """Axolotl's merge passes over experts that are stored as codes, without a word."""
    trained = [module for module in adapter.pairs if _expert(module)]
    if trained and any(name.endswith("_blocks") for name in base):
        yield f"the adapter changes experts ({_few(trained)}), and the base model's are stored in MXFP4"


def _refuse(what: str, why: list[str], where: Path, remedy: str) -> None:
    if why:
        raise LorewrightError(f"{what}: {'; '.join(why)}", where=str(where), remedy=remedy)


def _kind(adapter: Adapter) -> Iterator[str]:
    kind = adapter.settings.get("peft_type")
    if kind != "LORA":
        yield f"the adapter is no LoRA (peft_type {kind})"
    if adapter.others:
        yield f"the merge would leave out what it does not know: {_few(adapter.others)}"
    for module, parts in adapter.pairs.items():
        if set(parts) != {"A", "B"}:
            yield f"{module} has lora_{''.join(parts)} alone"
            return


def _named(parts: Together) -> Iterator[str]:
    """Two names of the hub say for certain which model is meant; folders can have been moved."""
    trained = str(parts.adapter.settings.get("base_model_name_or_path") or "")
    if not trained or is_folder(trained) or is_folder(parts.model):
        return
    ours = split_revision(parts.model)[0]
    if split_revision(trained)[0].lower() != ours.lower():
        yield f"the adapter was trained on {trained}, not on {ours}"


def _unlike(parts: Together) -> Iterator[str]:
    trained = str(parts.adapter.settings.get("base_model_name_or_path") or "")
    last = Path(split_revision(trained)[0]).name, Path(split_revision(parts.model)[0]).name
    if trained and (is_folder(trained) or is_folder(parts.model)) and last[0].lower() != last[1].lower():
        yield f"the adapter says that it was trained on {last[0]}; it fits {last[1]} by names and shapes, which models of a family share"


def _pairs(parts: Together, base: Shapes) -> Iterator[str]:
    """What is said of modules whose weight the base does not have, or in another shape (out, in)."""
    adapter, turned = parts.adapter, bool(parts.adapter.settings.get("fan_in_fan_out"))
    packed = "quantization_config" in (read_json(parts.base / "config.json") or {})  # then shapes are of what is stored
    tails = {_tail(name): shape for name, shape in base.items()}
    absent, unlike = [], []
    for module, pair in adapter.pairs.items():
        if len(pair["A"]) != 2 or _expert(module):
            continue
        wanted = (pair["B"][0], pair["A"][1])
        shape = next((tails[_tail(name)] for name in (f"{module}.weight", module) if _tail(name) in tails), None)
        if shape is None:
            absent += [] if _renamed(module, wanted, base) else [module]
        elif not packed and shape not in ((wanted, wanted[::-1]) if turned else (wanted,)):
            unlike.append(f"{module} is {_by(shape)} in the base and {_by(wanted)} in the adapter")
    if absent:
        yield f"the base model has no {_few(absent)}"
    if unlike:
        yield _few(unlike)


def _expert(module: str) -> bool:
    """Experts are stored in other forms than they are trained in."""
    return "experts" in module.split(".")


def _tail(name: str) -> str:
    """A tensor's name from its layer on: what stands before it differs between a model alone and one inside another."""
    hit = LAYER.search(name)
    return name[hit.start() :] if hit else name.removeprefix("model.")


def _renamed(module: str, wanted: tuple[int, int], base: Shapes) -> bool:
    """Whether its layer has a weight of that shape: a few models are stored under other names than they are trained by."""
    hit = LAYER.search(module)
    return hit is not None and any(hit[0] in name and shape == wanted for name, shape in base.items())


def _whole(adapter: Adapter, base: Shapes) -> Iterator[str]:
    """Modules that were trained whole: their weights must be there, and have a place in the base."""
    for name in adapter.settings.get("modules_to_save") or ():
        if not any(module.split(".")[-1] == name for module in adapter.whole):
            yield f"{name} was trained whole, but its weights are not in {WEIGHTS}"
    for module, shape in adapter.whole.items():
        there = base.get(f"{module}.weight")
        if there is None and HEAD.search(module):
            yield "the adapter has an lm_head of its own, and the base model's is its embedding: merged, it would be lost"
        elif there is None:
            yield f"the base model has no {module}, which was trained whole"
        elif shape != there and (shape[1:] != there[1:] or not (EMBEDDING.search(module) or HEAD.search(module))):
            yield f"{module} is {_by(there)} in the base and {_by(shape)} in the adapter"


def _vocabulary(parts: Together, base: Shapes) -> Iterator[str]:
    """Every token must have its row in the embedding and in the head."""
    highest = highest_token(parts.tokenizer)
    if highest is None:
        yield "the tokenizer cannot be read: tokenizer.json is damaged"
        return
    rows = _rows(parts.adapter, base)
    for module, count in rows.items():
        if highest >= count:
            yield f"the tokenizer has tokens up to {highest:,}, and {module} has {count:,} rows"
    if len(set(rows.values())) > 1:
        yield " and ".join(f"{module} has {count:,} rows" for module, count in rows.items())


def _rows(adapter: Adapter, base: Shapes) -> dict[str, int]:
    """Of embedding and head, as they will be merged."""
    shapes = {name.removesuffix(".weight"): shape for name, shape in base.items()} | adapter.whole
    return {module: shape[0] for module, shape in shapes.items() if EMBEDDING.search(module) or HEAD.search(module)}


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{size:,}" for size in shape)


def _few(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
