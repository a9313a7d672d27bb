#!/usr/bin/env python3
"""Where the milliseconds of one decoded token go on a card: vLLM in process, its kernels by time.

    PYTHON_OF_THE_SERVE_ENVIRONMENT benchmarks/gpu_decode_profile.py MODEL [--options '{"quantization": "fp8"}'] [--contexts 1024 8192]

MODEL is a folder; `gpu_serving.py --folder DIR` leaves one with random weights in DIR/model. options: engine arguments of vLLM, as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from collections import defaultdict
from typing import Any

NEW = 256
SHOWN = 20


def ask(llm: Any, context: int, new: int) -> float:
    """Seconds of one request whose prompt was never seen before."""
    from vllm import SamplingParams

    prompt = {"prompt_token_ids": [random.randrange(2, 2000) for _ in range(context)]}
    begun = time.perf_counter()
    llm.generate([prompt], SamplingParams(temperature=0, max_tokens=new, ignore_eos=True), use_tqdm=False)
    return time.perf_counter() - begun


def milliseconds(llm: Any, context: int, times: int = 3) -> list[float]:
    """Of one token, several times: two requests that differ by NEW tokens, so that reading the prompt falls out."""
    ask(llm, context, 17)
    return [(ask(llm, context, 17 + NEW) - ask(llm, context, 17)) / NEW * 1e3 for _ in range(times)]


def kernels(llm: Any) -> None:
    """Prints the kernels of the second half of a request, when all is decoding, and how much of that time the card worked."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as seen:
        ask(llm, 1024, 64)
    events = sorted((e for e in seen.events() if e.device_type == torch.autograd.DeviceType.CUDA), key=lambda e: e.time_range.start)
    middle = (events[0].time_range.start + events[-1].time_range.end) / 2
    events = [event for event in events if event.time_range.start > middle]
    span = events[-1].time_range.end - events[0].time_range.start
    total: dict[str, list[float]] = defaultdict(list)
    busy, ended = 0.0, 0.0
    for event in events:
        total[event.name].append(event.time_range.elapsed_us())
        busy += max(0.0, event.time_range.end - max(event.time_range.start, ended))
        ended = max(ended, event.time_range.end)
    print(f"the card worked {busy / span:.1%} of the time")
    for name, took in sorted(total.items(), key=lambda item: -sum(item[1]))[:SHOWN]:
        print(f"{sum(took) / span:6.1%}  {statistics.mean(took):8.2f} us × {len(took):6}  {name[:100]}")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("model")
    asked.add_argument("--options", type=json.loads, default={})
    asked.add_argument("--contexts", type=int, nargs="+", default=[1024, 8192])
    given = asked.parse_args()
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # the profiler sees its own process alone
    from vllm import LLM

    longest = max(given.contexts) + 2 * NEW
    llm = LLM(model=given.model, max_model_len=longest, max_num_seqs=16, gpu_memory_utilization=0.85, **given.options)
    for context in given.contexts:
        took = milliseconds(llm, context)
        middle = statistics.median(took)
        print(f"{context:,} tokens: {middle:.3f} ms a token ({min(took):.3f} to {max(took):.3f}), {1e3 / middle:.0f} tokens/s")
    kernels(llm)


if __name__ == "__main__":
    main()
