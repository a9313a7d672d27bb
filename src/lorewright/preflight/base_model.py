"""The base model: its folder, the hub's cache, or the hub, in this order; whole, or able to be had."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lorewright.models.hub import commit, snapshot
from lorewright.models.tokenizer import TOKENIZERS
from lorewright.preflight import hub
from lorewright.preflight.found import Found, bad, good
from lorewright.preflight.model import Model, listed_template, of_folder
from lorewright.preflight.said import gib
from lorewright.recipe import is_folder, split_revision

NAME = "model"
AGAIN = "fetch or copy it again: a copy that was broken off leaves such files"


def base_model(name: str) -> tuple[Model, Found]:
    """name: a folder, or name@revision of the hub. A folder and a model that is whole in the hub's cache never need the network."""
    if is_folder(name):
        return _local(name)
    folder = snapshot(name)
    kept, faults = of_folder(name, folder) if folder else (Model(name), [])
    if folder and not faults:
        return kept, good(NAME, f"{name}, whole in the hub's cache (commit {(commit(name) or '')[:10]}, {gib(kept.stored)})")
    if hub.offline():
        what = f"{name} is not whole in the hub's cache: {_few(faults)}" if folder else f"{name} is not on this machine"
        remedy = "unset it for one run, or point base_model at a folder that holds the model"
        return kept, bad(NAME, f"{what}, and HF_HUB_OFFLINE forbids to fetch it", remedy)
    answer = hub.ask(*split_revision(name))
    if isinstance(answer, hub.Refused):
        return kept, bad(NAME, answer.why, answer.remedy)
    return _offered(name, answer, folder)


def _local(name: str) -> tuple[Model, Found]:
    model, faults = of_folder(name, Path(name))
    if faults:
        return model, bad(NAME, f"{name}: {_few(faults)}", AGAIN)
    return model, good(NAME, f"{name}, whole ({gib(model.stored)})")


def _offered(name: str, answer: hub.Offered, folder: Path | None) -> tuple[Model, Found]:
    """What may be fetched, and how much of it is still to come."""
    weights = _weights(answer.files)
    lacking = [said for said, missing in (
        ("no weights", not weights),
        ("no config.json", "config.json" not in answer.files),
        ("no tokenizer", not any(file in answer.files for file in TOKENIZERS)),
    ) if missing]  # fmt: skip
    if lacking:
        return Model(name), bad(NAME, f"{name} on the hub has {' and '.join(lacking)}", "choose a base_model that stands by itself")
    to_fetch = sum(size for file, size in weights.items() if not (folder and (folder / file).is_file()))
    model = Model(
        name, answer.config, answer.parameters or sum(weights.values()) // 2, sum(weights.values()), max(weights.values()),
        to_fetch=to_fetch, template=listed_template(answer.files, answer.tokenizer_config),
    )  # fmt: skip
    return model, good(NAME, f"{name} may be fetched from the hub, {gib(to_fetch)} to come")


def _weights(files: Mapping[str, int]) -> dict[str, int]:
    """The files that are loaded: by their names, at the top, safetensors where there are any; copies in other forms lie beside them."""
    for begin, end in (("model", ".safetensors"), ("pytorch_model", ".bin")):
        found = {name: size for name, size in files.items() if name.startswith(begin) and name.endswith(end) and "/" not in name}
        if found:
            return found
    return {}


def _few(faults: list[str]) -> str:
    return ", ".join(faults[:3]) + (f" and {len(faults) - 3} more" if len(faults) > 3 else "")
