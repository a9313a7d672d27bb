"""What each step does: stage `x` is the function x(step, run) of the module x. Stages never call each other; paths come from plan.py."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from lorewright.plan import Step
from lorewright.stages.run import Facts, Launch, Run

__all__ = ["Launch", "Run", "launch_service", "make_artifact"]


def make_artifact(step: Step, run: Run) -> Facts:
    """Makes an artifact step's results in run.work."""
    facts: Facts = _stage(step)(step, run)
    return facts


def launch_service(step: Step, run: Run) -> Launch:
    """How a service step is started."""
    launched: Launch = _stage(step)(step, run)
    return launched


def _stage(step: Step) -> Any:
    """Loaded when it runs: `status` need not wait for the readers of manuscripts."""
    return getattr(import_module(f"lorewright.stages.{step.name}"), step.name)
