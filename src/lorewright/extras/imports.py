"""Whether a package that lies in a folder works in an environment."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lorewright.envs import Environment, say


def trouble(env: Environment, folder: Path, module: str) -> tuple[str, ...]:
    """The last lines of what goes wrong when the module is imported; empty when nothing does."""
    code = f"import sys; sys.path.append({str(folder)!r}); import {module}"
    say(f"looking whether {module} works")
    done = subprocess.run([env.python, "-c", code], capture_output=True, text=True)
    lines = tuple(line for line in done.stderr.splitlines() if line.strip())
    return (lines[-6:] or (f"exit {done.returncode}",)) if done.returncode else ()
