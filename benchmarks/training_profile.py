"""An Axolotl plugin that says where the card's time goes: `plugins: [training_profile.Profile]`, with benchmarks/ on PYTHONPATH.

The last three steps are profiled; the table (kernels by their own time on the card) is printed into the log when they are done.
"""

from __future__ import annotations

from typing import Any

import torch
from axolotl.integrations.base import BasePlugin
from torch.profiler import ProfilerActivity, profile
from transformers import TrainerCallback

STEPS = 3


class Look(TrainerCallback):
    """Profiles three steps and prints what they were made of."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == state.max_steps - STEPS:
            card = [ProfilerActivity.CUDA] if torch.cuda.is_available() else []
            self.profiler = profile(activities=[ProfilerActivity.CPU, *card])
            self.profiler.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == state.max_steps:
            self.profiler.stop()
            by = "self_cuda_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
            print(self.profiler.key_averages().table(sort_by=by, row_limit=40, max_name_column_width=80), flush=True)


class Profile(BasePlugin):  # type: ignore[misc]
    def add_callbacks_post_trainer(self, cfg: Any, trainer: Any) -> list[TrainerCallback]:
        return [Look()]
