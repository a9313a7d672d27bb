"""Which packages an environment has, read from their metadata without starting it."""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

TOLD = ("axolotl", "torch", "transformers", "peft", "bitsandbytes", "liger-kernel", "flash-attn", "deepspeed")


def versions(environment: Path) -> dict[str, str]:
    """The packages that make a training, by name; those that are not there are left out."""
    places = [str(place) for place in environment.glob("lib/python3*/site-packages")]
    found = {str(one.metadata["Name"]).lower().replace("_", "-"): one.version for one in distributions(path=places)}
    return {name: found[name] for name in TOLD if name in found}
