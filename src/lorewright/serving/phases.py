"""Where a starting vLLM is, from what it writes into its log."""

from __future__ import annotations

import re

# What the log says -> what that means. The last line that fits counts. Source: the messages of vLLM 0.32.
PHASES = (
    (r"non-default args|Resolved architecture|version \d", "reading the configuration"),
    (r"Downloading|Fetching \d+ files|Time spent downloading weights", "fetching the model"),
    (r"Initializing a V1 LLM engine", "starting the engine"),
    (r"Starting to load model", "loading weights"),
    (r"checkpoint shards:\s+(\d+)%", "loading weights, {} %"),
    (r"Loading weights took|Model loading took", "measuring memory"),
    (r"Starting torch\.compile|Dynamo bytecode transform|Compiling a graph|for vLLM's torch\.compile", "compiling"),
    (r"Available KV cache memory|KV cache size|for KV cache on node|Profiling CUDA graph memory|Warming up", "warming up"),
    (r"Capturing CUDA graphs[^:]*:\s+(\d+)%", "capturing CUDA graphs, {} %"),
    (r"Graph capturing finished|init engine \(", "warming up"),
    (r"Supported tasks:|Starting vLLM server|Waiting for application startup", "opening the API"),
)


def phase(log: str) -> str:
    """The phase in words. log: the end of what vLLM has written, at any length."""
    for line in reversed(log.replace("\r", "\n").splitlines()):
        for sign, words in PHASES:
            found = re.search(sign, line)
            if found:
                return words.format(*found.groups())
    return "loading vLLM"
