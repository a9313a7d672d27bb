"""What a stage is given, and what a service stage gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorewright import envs, process
from lorewright.plan import Paths, Plan
from lorewright.progress import Console, shown
from lorewright.recipe import Recipe, is_folder
from lorewright.services import PLAIN, LogReader

Facts = dict[str, Any]


@dataclass
class Run:
    """What a stage may know: the recipe, where things are, and where it works.

    work: the folder the present step writes into. inputs: content hashes of what it reads, as its fingerprint has them.
    done: finished artifacts' folders by stage name. fresh: nothing that an earlier run left is taken over. smoke: the recipe is a
    small one made of the file's. afterwards: what a stage wants done to its folder once that is finished and nothing can be lost.
    """

    recipe: Recipe
    plan: Plan
    paths: Paths
    console: Console
    accelerator: str = field(default_factory=envs.accelerator)
    work: Path = Path()
    inputs: Mapping[str, str] = field(default_factory=dict)
    fresh: bool = False
    smoke: bool = False
    afterwards: Callable[[Path], None] | None = None
    done: dict[str, Path] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """What makes the stages of this run."""
        return f"./lorewright run {shown(self.recipe.file)}{' --smoke' if self.smoke else ''}"

    def tool_environment(self, name: str, extra: Mapping[str, str] | None = None, *, model: str = "") -> dict[str, str]:
        """A folder needs no hub: then the tools are kept from asking it. model: when it is not the recipe's."""
        offline = {"HF_HUB_OFFLINE": "1"} if is_folder(model or self.recipe.base_model) else {}
        return process.tool_environment(envs.ensure(name), offline | dict(extra or {}))


@dataclass(frozen=True)
class Launch:
    """How to start a service and how to see that it is ready (a path that answers 200, within seconds).

    reader: how its log is understood. cards: the GPUs that it takes for itself.
    """

    command: list[str]
    environment: Mapping[str, str]
    ready: str
    timeout: float
    reader: LogReader = PLAIN
    cards: tuple[str, ...] = ()
