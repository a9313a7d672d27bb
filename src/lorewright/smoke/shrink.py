"""What a smoke run makes smaller. Pure: a recipe's whole values in, the same recipe with a few examples, steps and questions out.

Base model, adapter, length, micro-batch, precision and vLLM's settings stay: that these work together is what one wants to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lorewright.services import base_url
from lorewright.training.several import fitted, whole_step

SUFFIX = "-smoke"
LONGEST_NAME = 63
STEPS = 4
EXAMPLES = 24  # at the least; twice what the steps take where a step takes more
PACKED = 8  # times as many, where several share a window: else a batch would not be filled
CHARTS = 8
PORTS = 100  # its servers stand beside the real ones
QUESTION = "What is told here?"  # where a recipe asks nothing, so that its proxy answers once
# When to evaluate and save is set here; and what would write over the real run outside this machine is left out.
LEFT_OUT = ("evals_per_epoch", "eval_strategy", "saves_per_epoch", "save_strategy", "hub_model_id", "wandb_run_id")


def shrunk(values: Mapping[str, Any], manuscripts: Sequence[str], lore: Sequence[str], cards: int = 1) -> dict[str, Any]:
    """values: as Recipe.resolved holds them. manuscripts, lore: the sources to read instead of the recipe's. cards: that share a step."""
    small = dict(values) | {"recipe": smoke_name(values["recipe"]), "serve": _moved(values["serve"])}
    if values.get("data"):
        small["data"] = _data(values, manuscripts, cards)
    if values.get("axolotl") is not None:
        small["axolotl"] = _axolotl(values["axolotl"], cards if values["train"]["keep_batch"] else 1)
    if isinstance(values["merge"]["checkpoint"], int):  # a step that a small training does not reach
        small["merge"] = {"checkpoint": None}
    if values.get("rag"):
        rag = values["rag"]
        small["rag"] = _moved(rag) | {"collection": smoke_name(rag["collection"]), "sources": list(lore)}
        small["questions"] = values["questions"][:1] or [QUESTION]
    return small


def smoke_name(name: str) -> str:
    return name[: LONGEST_NAME - len(SUFFIX)] + SUFFIX


def _moved(server: Mapping[str, Any]) -> dict[str, Any]:
    """To a port of its own; at the top end downwards, where there are none above."""
    port = int(server["port"])
    return dict(server) | {"port": port + PORTS if port + PORTS <= 65535 else port - PORTS}


def _data(values: Mapping[str, Any], manuscripts: Sequence[str], cards: int) -> dict[str, Any]:
    data = values["data"]
    most = min(data["max_samples"] or EXAMPLES * 1000, _examples(values.get("axolotl") or {}, cards))
    charts = data["charts"] | {"count": min(data["charts"]["count"], CHARTS)}
    small = dict(data) | {"max_samples": most, "charts": charts}
    if "sources" in data:
        small["sources"] = list(manuscripts)
        small.pop("rights", None)  # they are noted of the sources as the recipe names them
    asked = data.get("augment")
    if asked:
        small["augment"] = asked | _who_answers(asked, values)
    return small


def _examples(axolotl: Mapping[str, Any], cards: int) -> int:
    return max(EXAMPLES, 2 * STEPS * int(axolotl.get("micro_batch_size") or 1) * cards) * (PACKED if axolotl.get("sample_packing") else 1)


def _who_answers(asked: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe's own server is met where the real recipe has it."""
    if asked["endpoint"] != "own" or asked["base_url"]:
        return {}
    serve = values["serve"]
    return {"base_url": f"{base_url(serve['host'], serve['port'])}/v1", "model": asked["model"] or values["recipe"]}


def _axolotl(given: Mapping[str, Any], cards: int) -> dict[str, Any]:
    """A few steps of one micro-batch each; where the recipe evaluates and saves, once, after the last.

    cards: that share a step. Each then takes the micro-batch that it has in the real run, where sharing may have made it smaller.
    """
    steps = min(int(given.get("max_steps") or STEPS), STEPS)
    small = {key: value for key, value in given.items() if key not in LEFT_OUT}
    small |= {"max_steps": steps, "gradient_accumulation_steps": cards, "logging_steps": 1}
    micro = whole_step(fitted(given, cards)[0])[0]
    if micro != whole_step(given)[0]:
        small["micro_batch_size"] = micro
    if given.get("save_strategy") == "no":
        small["save_strategy"] = "no"
    else:
        small["save_steps"] = steps
    if given.get("evals_per_epoch") or given.get("eval_steps") or given.get("eval_strategy") in ("steps", "epoch"):
        small["eval_steps"] = steps
    return small
