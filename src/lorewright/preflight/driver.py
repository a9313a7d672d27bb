"""The NVIDIA driver and the kind of card, against the CUDA that the train environment's torch is built with."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from lorewright import envs
from lorewright.preflight.found import Found, bad, good, warn
from lorewright.serving.gpu import Card, trouble

NAME = "driver"
# CUDA's major version -> (driver branch it needs on Linux, the oldest compute capability it has code for). CUDA 13.0's release notes:
# any 580 driver runs any 13.x, and Maxwell, Pascal and Volta are gone; the same notes for 12: 525, from Maxwell on.
NEEDS = {12: (525, 5.0), 13: (580, 7.5)}


def driver(cards: Sequence[Card]) -> list[Found]:
    """For a machine that is to train on cards. cards: those that a tool would see."""
    if not cards:
        return [_no_card()]
    built = torch_cuda(envs.locate("train"))
    if built == "":
        env = envs.locate("train")
        remedy = f"remove {env.path} and build it from an index that has the CUDA builds: ./lorewright envs build train"
        return [bad(NAME, "the train environment's torch is built without CUDA", remedy)]
    return [*_new_enough(cards[0].driver, built), *(_young_enough(card, built) for card in cards if card.capability)]


def torch_cuda(env: envs.Environment) -> str | None:
    """The CUDA version that the environment's torch is built with, as `13.0`; "" for a build without, None where it is not known.

    Before the environment is built, its requirement file tells.
    """
    file = next(env.path.glob("lib/python*/site-packages/torch/version.py"), None)
    if file:
        found = re.search(r"^cuda\b[^=]*=\s*(?:'([\d.]+)'|None)", file.read_text(encoding="utf-8"), re.MULTILINE)
        return (found[1] or "") if found else None
    pinned = "\n".join(path.read_text(encoding="utf-8") for path in envs.requirement_files(env.name))
    found = re.search(r"^cuda-toolkit==(\d+\.\d+)", pinned, re.MULTILINE)
    return found[1] if found else None


def _no_card() -> Found:
    remedy = "install or mend it (in a container: --gpus all; on WSL: Windows' driver), or use the processor: LOREWRIGHT_ACCELERATOR=cpu"
    said, chosen = trouble(), os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None and not said:
        return bad(NAME, f"CUDA_VISIBLE_DEVICES={chosen} hides every card", "unset it, or name a card that is there")
    if "version mismatch" in said:
        remedy = "the driver was updated while it was running: restart the machine"
    return bad(NAME, f"no NVIDIA driver answers: {said or 'nvidia-smi names no card'}", remedy)


def _new_enough(installed: str, built: str | None) -> list[Found]:
    branch = int(installed.split(".")[0]) if installed.split(".")[0].isdigit() else 0
    wanted = NEEDS.get(int(built.split(".")[0]), (0, 0.0))[0] if built else 0
    if not branch:
        return []
    if branch >= wanted:
        return [good(NAME, f"{installed}" + (f", new enough for CUDA {built}" if wanted else ""))]
    what = f"{installed} is too old for CUDA {built}, which the train environment is built with"
    if "compat" in os.environ.get("LD_LIBRARY_PATH", ""):
        what += ", but LD_LIBRARY_PATH names a compatibility package"
        return [warn(NAME, what, f"should it fail, install driver {wanted} or newer")]
    return [bad(NAME, what, f"install driver {wanted} or newer (on WSL: in Windows) and restart")]


def _young_enough(card: Card, built: str | None) -> Found:
    least = NEEDS.get(int(built.split(".")[0]), (0, 0.0))[1] if built else 0.0
    name = f"card {card.number}"
    if card.capability >= least:
        return good(name, f"{card.name}, {card.total / 1024:.0f} GiB, compute capability {card.capability}")
    what = f"{card.name} has compute capability {card.capability}, and CUDA {built} has code from {least} on"
    return bad(name, what, "take another card (CUDA_VISIBLE_DEVICES), or the processor: LOREWRIGHT_ACCELERATOR=cpu")
