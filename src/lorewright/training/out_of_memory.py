"""Notices that memory ran out, and while doing what, from how a tool ended and what it logged."""

from __future__ import annotations

import re
from pathlib import Path

from lorewright.remedies import GPU_MEMORY, MACHINE_MEMORY, diagnose

# The kernel counts the processes that it ended for memory, those of a container's limit among them.
COUNTER = Path("/proc/vmstat")
# A launcher reports its child's end in its own words and exits with 1: accelerate, torchrun, DeepSpeed, Ray.
_SIGKILL = re.compile(r"died with <Signals\.SIGKILL|Signal 9 \(SIGKILL\)|exitcode\s*: -9|return code = -9|killed by SIGKILL")
_STARTED = "Starting trainer"
_RESUMED = re.compile(r"Using auto-resume functionality|Resuming from last checkpoint")
_EVALUATION, _EVALUATED = "Running evaluation step", "'eval_loss'"
_STEP = re.compile(r"\{'loss'")


def kernel_kills() -> int:
    """How many processes the kernel has ended for memory since the machine started; 0 where it does not tell."""
    try:
        found = re.search(r"^oom_kill (\d+)$", COUNTER.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def ran_out(log: str, code: int, kills: int) -> bool:
    """Whether memory is what ended a tool.

    log: its output. code: its exit code, negative for a signal. kills: how many processes the kernel ended for memory while it
    ran. A SIGKILL alone can have come from anybody.
    """
    killed = code == -9 or bool(_SIGKILL.search(log))
    return (killed and kills > 0) or diagnose(log) in (GPU_MEMORY, MACHINE_MEMORY)


def phase(log: str) -> str:
    """What Axolotl's training was doing at the log's end: loading, resuming, evaluating or training."""
    _, started, after = log.partition(_STARTED)
    if not started:
        return "loading"
    if after.rfind(_EVALUATION) > after.rfind(_EVALUATED):
        return "evaluating"
    return "resuming" if _RESUMED.search(log) and not _STEP.search(after) else "training"
