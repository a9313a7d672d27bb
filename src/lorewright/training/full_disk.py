"""A disk that is full while a training writes: how much room is needed, and where."""

from __future__ import annotations

import contextlib
import errno
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from math import ceil
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.process import ToolError
from lorewright.remedies import DISK, diagnose
from lorewright.training.checkpoints import checkpoints, fault, size_of
from lorewright.training.kept import kept_of
from lorewright.training.resume import newest_whole

# Bytes of a trained parameter in a checkpoint: the weight and AdamW's two averages, all in 32 bits; fewer with other optimizers.
BYTES = 12
# Beside a checkpoint: logs, tokenizer and model card; and the adapter itself is written once more at the end.
BESIDE, ADAPTER = 20 * 2**20, 1 / 3


@contextlib.contextmanager
def explained(work: Path, facts: Mapping[str, Any]) -> Iterator[None]:
    """A training that ends for want of room ends with what is wanted. work: its folder. facts: what its log says (progress.Progress)."""
    try:
        yield
    except (ToolError, OSError) as problem:
        if not is_full(problem):
            raise
        raise told(work, facts) from None


def is_full(problem: Exception) -> bool:
    """Whether a full disk or a used up quota is what ended a training: Axolotl's writing, or ours."""
    if isinstance(problem, OSError):
        return problem.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(problem, ToolError) and diagnose(problem.log) == DISK


def told(work: Path, facts: Mapping[str, Any]) -> LorewrightError:
    """What the user is told. The checkpoint that did not fit is removed, which makes room for the record of this."""
    output = work / "adapter"
    for folder in checkpoints(output)[-1:]:
        if fault(folder):
            shutil.rmtree(folder)
    begun, free = newest_whole(output).step, shutil.disk_usage(work).free
    whole = [size_of(folder) for folder in (*checkpoints(output), *checkpoints(kept_of(output)))]
    size = max(whole, default=int(facts.get("trainable_parameters", 0)) * BYTES)
    wanted = size * (1 + ADAPTER) + BESIDE - free
    goes_on = f"run the same command: training goes on from {f'step {begun}' if begun else 'its beginning'}"
    if wanted <= 0:
        what = f"the disk is full or a quota used up, though {_said(free)} are free here"
        return LorewrightError(what, where=str(work), remedy=f"look at {tempfile.gettempdir()} and your home folder, and {goes_on}")
    return LorewrightError(
        f"the disk is full: a checkpoint takes {_said(size)}, {_said(free)} are free",
        where=str(work),
        remedy=f"make {_said(wanted)} of room there and {goes_on}",
    )


def _said(count: float) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{ceil(count / 2**20)} MiB"
