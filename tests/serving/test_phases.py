"""The phase of a start, from the lines that vLLM 0.32 writes."""

from __future__ import annotations

import pytest

from lorewright.serving.phases import phase

LINES = (
    ("Triton is installed, but doesn't include CPU backend.", "loading vLLM"),
    ("(APIServer pid=1) INFO 11-21 12:05:52 [model.py:733] Resolved architecture: LlamaForCausalLM", "reading the configuration"),
    (
        "(EngineCore pid=2) INFO 11-21 12:06:00 [core.py:133] Initializing a V1 LLM engine (v0.32.0) with config: model='/x'",
        "starting the engine",
    ),
    ("(Worker pid=3) INFO 11-21 12:06:08 [cpu_model_runner.py:68] Starting to load model /x...", "loading weights"),
    ("Loading safetensors checkpoint shards:  25% Completed | 1/4 [00:01<00:03,  1.1s/it]\r", "loading weights, 25 %"),
    ("Loading safetensors checkpoint shards: 100% Completed | 4/4 [00:04<00:00,  1.1s/it]\n", "loading weights, 100 %"),
    ("(Worker pid=3) INFO 11-21 12:06:08 [default_loader.py:501] Loading weights took 0.22 seconds", "measuring memory"),
    ("(EngineCore pid=2) INFO [backends.py:1166] Dynamo bytecode transform time: 5.41 s", "compiling"),
    ("(EngineCore pid=2) INFO [gpu_worker.py:760] Available KV cache memory: 61.20 GiB", "warming up"),
    (
        "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  43%|####3     | 22/51 [00:01<00:01, 20.1it/s]\r",
        "capturing CUDA graphs, 43 %",
    ),
    ("(EngineCore pid=2) INFO [core.py:402] init engine (profile, create kv cache, warmup model) took 3.47 s", "warming up"),
    ("(APIServer pid=1) INFO [entry.py:140] Starting vLLM server on http://127.0.0.1:8000", "opening the API"),
)


@pytest.mark.req("F6")
@pytest.mark.parametrize("upto", range(1, len(LINES) + 1))
def test_the_last_known_line_tells_the_phase(upto: int) -> None:
    log = "\n".join(line for line, _ in LINES[:upto]) + "\n  warnings.warn(\n"
    assert phase(log) == LINES[upto - 1][1]


def test_nothing_yet_is_a_phase_too() -> None:
    assert phase("") == "loading vLLM"
