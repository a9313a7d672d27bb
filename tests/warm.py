"""A Python of another environment that has loaded its heavy modules once, and runs each script in a fork of itself.

Real Axolotl takes ten seconds to load and one to read a small set; the tests that only read sets share the loading.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

SERVER = """
import importlib, json, os, runpy, sys, traceback
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for name in sys.argv[1:]:
    importlib.import_module(name)
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1), os.dup2(log, 2)
            os.chdir(asked["folder"])
            sys.argv = asked["words"]
            runpy.run_path(sys.argv[0], run_name="__main__")
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)
"""


class Warm:
    """python: of the environment. modules: loaded before the first script. environment: variables, the same for every script."""

    def __init__(self, python: str, modules: list[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [python, "-c", SERVER, *modules], env=dict(environment), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self, words: list[str], folder: Path, log: Path) -> int:
        """Runs script and arguments in the folder, output added to the log; its exit code."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps({"words": words, "folder": str(folder), "log": str(log)}), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, "the warm Python has ended"
        return int(answer)

    def close(self) -> None:
        self._process.communicate(timeout=60)
