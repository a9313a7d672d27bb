"""How many files may be compiled at a time without running out of memory."""

from __future__ import annotations

import os
import re
from pathlib import Path

# FlashAttention's own measurements: 3.2 to 5 GB for each nvcc thread at its peak (its pull request 2079). Its builds without a reserve
# have brought machines down (its issue 2493).
JOB_GIB, RESERVE_GIB = 5.0, 2.0
MEMINFO, LIMIT, USED = Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


def build_jobs(job_gib: float = JOB_GIB) -> int:
    """At least one, at most one a core, and as many as memory allows at so many GiB each; MAX_JOBS of the environment wins."""
    chosen = os.environ.get("MAX_JOBS", "")
    if chosen.isdigit() and int(chosen) > 0:
        return int(chosen)
    cores = len(os.sched_getaffinity(0))
    return max(1, min(cores, int((_free_gib() - RESERVE_GIB) / job_gib)))


def _free_gib() -> float:
    """What the machine has free, or a container's limit has left; a container's page cache counts as used."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", MEMINFO.read_text(encoding="utf-8"), re.MULTILINE)
    free = int(found[1]) * 1024 if found else 0
    try:
        free = min(free, int(LIMIT.read_text()) - int(USED.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit
        pass
    return free / 2**30
