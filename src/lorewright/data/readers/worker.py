"""`python -m lorewright.data.readers.worker JOB`: reads one document within limits, in a process of its own.

JOB is JSON: {"file", "out", "kind", "engine", "device", "attempt", "memory"}. The Markdown goes to the file `out`, what came of
it to standard output as one line of JSON. What native code prints goes to standard error, which is the log.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from lorewright.data.readers import engines
from lorewright.data.readers.refusal import UnreadableError

PR_SET_PDEATHSIG = 1
TOO_MUCH = "needs more memory than its limit"


def main(job: dict[str, Any]) -> dict[str, Any]:
    """{"engine", "title", "characters", "removed", "notes"}, or {"engine", "refused"} (final) or {"engine", "failed"} (another may do)."""
    readers = engines(job["kind"], job["engine"], job["device"])
    name, reader = readers[min(job["attempt"], len(readers) - 1)]
    if job["attempt"] >= len(readers):
        return {"engine": name, "failed": ""}
    try:
        reading = reader(Path(job["file"]))
    except UnreadableError as problem:
        return {"engine": name, "refused": problem.reason}
    except MemoryError:
        return {"engine": name, "failed": TOO_MUCH}
    except Exception as problem:  # noqa: BLE001 (whatever a reader stumbles over costs this document, never the run)
        return {"engine": name, "failed": f"{type(problem).__name__}: {' '.join(str(problem).split())[:200]}"}
    with open(job["out"], "w", encoding="utf-8", errors="replace") as out:
        out.write(reading.text)
        out.flush()
        os.fsync(out.fileno())
    removed = {what: count for what, count in (reading.removed or {}).items() if count}
    return {"engine": name, "title": reading.title, "characters": len(reading.text), "removed": removed, "notes": list(reading.notes)}


def limit(memory: int) -> None:
    """memory: megabytes of address space. A worker ends with the one who started it, and leaves no core file."""
    resource.setrlimit(resource.RLIMIT_AS, (memory << 20, memory << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    said = os.dup(1)
    os.dup2(2, 1)
    work = json.loads(sys.argv[1])
    limit(work["memory"])
    with os.fdopen(said, "w") as answer:
        answer.write(json.dumps(main(work)) + "\n")
