"""An adapter's folder as PEFT writes it: its settings and the names and shapes of its tensors, without its weights.

PEFT names a tensor by the module it belongs to: `base_model.model.` MODULE `.lora_A.weight`. What was trained whole, as embeddings that
grew, stands under its module's own name (https://huggingface.co/docs/peft/developer_guides/checkpoint).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.manifest import write_json
from lorewright.models.weights import Tensor, tensors_of

SETTINGS, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
PAIR = re.compile(r"(?P<module>.+)\.lora_(?P<part>[AB])(\.default)?\.weight")
BESIDE_A_PAIR = re.compile(r".+\.lora_magnitude_vector(\.default)?(\.weight)?")
WHOLE = re.compile(r"(?P<module>.+?)(\.modules_to_save(\.default)?)?\.weight")
AGAIN = "take another checkpoint, or train again"


@dataclass(frozen=True)
class Adapter:
    """settings: adapter_config.json. tensors: of the file of weights, by their names there."""

    folder: Path
    settings: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    @property
    def pairs(self) -> dict[str, dict[str, tuple[int, ...]]]:
        """Module -> the shapes of its lora_A and lora_B, by "A" and "B"."""
        found: dict[str, dict[str, tuple[int, ...]]] = {}
        for name, tensor in self.tensors.items():
            if hit := PAIR.fullmatch(name.removeprefix(PREFIX)):
                found.setdefault(hit["module"], {})[hit["part"]] = tensor.shape
        return found

    @property
    def whole(self) -> dict[str, tuple[int, ...]]:
        """Module -> the shape of its weight, where that takes the place of the base model's."""
        plain = {name.removeprefix(PREFIX): tensor.shape for name, tensor in self.tensors.items() if ".lora_" not in name}
        return {hit["module"]: shape for name, shape in plain.items() if (hit := WHOLE.fullmatch(name))}

    @property
    def others(self) -> list[str]:
        """Tensors that are none of these: biases, trained tokens, adapters of embeddings."""
        known = (PAIR, BESIDE_A_PAIR)
        names = [name.removeprefix(PREFIX) for name in self.tensors]
        return [
            name for name in names
            if not any(form.fullmatch(name) for form in known) and (".lora_" in name or not WHOLE.fullmatch(name))
        ]  # fmt: skip


def name_base(folder: Path, name: str) -> None:
    """An adapter and its checkpoints say whose they are: the base model, not the folder in NF4 that it was trained from."""
    for file in (folder / SETTINGS, *folder.glob(f"checkpoint-*/{SETTINGS}")):
        settings = json.loads(file.read_text(encoding="utf-8"))
        if settings.get("base_model_name_or_path") != name:
            write_json(file, settings | {"base_model_name_or_path": name})


def read_adapter(folder: Path) -> Adapter:
    """Raises LorewrightError for a folder that holds no adapter, or one that was cut off."""
    lacking = [name for name in (SETTINGS, WEIGHTS) if not (folder / name).is_file()]
    if lacking:
        raise LorewrightError(f"there is no adapter: {' and '.join(lacking)} is missing", where=str(folder), remedy=AGAIN)
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise LorewrightError("it cannot be read", where=str(folder / SETTINGS), remedy=AGAIN)
    tensors, fault = tensors_of(folder / WEIGHTS)
    if fault or not tensors:
        raise LorewrightError(f"the adapter's weights: {fault or 'there is nothing in them'}", where=str(folder / WEIGHTS), remedy=AGAIN)
    return Adapter(folder, settings, tensors)
