"""An Axolotl plugin that says what loading the base model took: `plugins: [loading_measured.LoadingMeasured]`, benchmarks/ on PYTHONPATH.

Prints a line `LOADED {…}` when the model is there and the adapter is not: seconds; the most bytes of the process's own memory (mapped
files are not its own); the most that the card had for tensors and that torch held of it; what is left for tensors when it is loaded.
"""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path
from typing import Any

import torch
from axolotl.integrations.base import BasePlugin

OWN = re.compile(r"RssAnon:\s+(\d+) kB")
EVERY = 0.02  # seconds


def own() -> int:
    """Bytes of this process's memory that are no mapped file's."""
    found = OWN.search(Path("/proc/self/status").read_text(encoding="utf-8"))
    return int(found[1]) * 1024 if found else 0


class LoadingMeasured(BasePlugin):  # type: ignore[misc]
    def pre_model_load(self, cfg: Any) -> None:
        self.before = self.most = own()
        self.loaded = threading.Event()
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        self.looking = threading.Thread(target=self._look, daemon=True)
        self.looking.start()
        self.begun = time.monotonic()

    def _look(self) -> None:
        while not self.loaded.wait(EVERY):
            self.most = max(self.most, own())

    def post_model_build(self, cfg: Any, model: Any) -> None:
        card = torch.cuda.is_available()
        if card:
            torch.cuda.synchronize()
        seconds = time.monotonic() - self.begun
        self.loaded.set()
        self.looking.join()
        told = {
            "seconds": round(seconds, 2),
            "host_before_bytes": self.before,
            "host_peak_bytes": max(self.most, own()),
            "card_peak_bytes": torch.cuda.max_memory_allocated() if card else 0,
            "card_reserved_bytes": torch.cuda.max_memory_reserved() if card else 0,
            "card_after_bytes": torch.cuda.memory_allocated() if card else 0,
        }
        print(f"LOADED {json.dumps(told)}", flush=True)
