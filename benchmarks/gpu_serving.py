#!/usr/bin/env python3
"""Measures serving: decode at several contexts, options of speed, many streams, the prefix cache through the proxy. Standard library only.

    python3 benchmarks/gpu_serving.py [--shape 8b] [--parts proxy autotune fp8 ngram] [--write FILE]

The model has random weights of a known shape, made on the spot (speed and memory need no trained ones), and is served by the product's
own commands. Prompts are token numbers drawn anew, so that nothing is in the cache unless it is meant to be. The bandwidth bound is what
the card copies in a second over the bytes that one token reads: all weights, and the cache of its context. Ends with 1 if one is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
PORTS = (18741, 18742)  # vLLM, proxy
PARTS = ("proxy", "autotune", "fp8", "ngram")
CACHE = ("prefix_cache_queries", "prefix_cache_hits")
SPEC = ("spec_decode_num_draft_tokens", "spec_decode_num_accepted_tokens")
GUESSED: dict[str, dict[str, Any]] = {"where all repeats": {"allowed_token_ids": [7]}, "where nothing does": {"temperature": 1}}
"""what is said of a text → the request that makes random weights write it."""
Row = tuple[str, str, str, bool]
"""what, measured, to reach, reached"""


@dataclass(frozen=True)
class Shape:
    """A Llama of this shape. contexts: at which decode is measured; new: tokens written each time."""

    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    vocabulary: int
    contexts: tuple[int, ...]
    new: int

    @property
    def parameters(self) -> int:
        attention = self.hidden * self.head * (2 * self.heads + 2 * self.kv_heads)
        layer = attention + 3 * self.hidden * self.inner + 2 * self.hidden
        return self.layers * layer + 2 * self.vocabulary * self.hidden + self.hidden

    def bytes_read(self, context: int, weight: int = 2) -> int:
        """What one new token reads: the weights, less the embedding's other rows, and its context's keys and values in 16 bits."""
        return weight * (self.parameters - self.vocabulary * self.hidden) + 4 * self.layers * self.kv_heads * self.head * context


SHAPES = {
    "8b": Shape(4096, 14336, 32, 32, 8, 128, 128256, (1024, 8192, 32768, 61440), 256),
    "tiny": Shape(128, 256, 2, 4, 2, 32, 2048, (256, 1024), 64),
}
MAKE = """
import sys, json, torch
from pathlib import Path
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from tokenizers import Tokenizer, models, pre_tokenizers
folder, shape = Path(sys.argv[1]), json.loads(sys.argv[2])
words = {f"w{number}": number for number in range(shape["vocabulary"])}
inner = Tokenizer(models.WordLevel(words, unk_token="w0"))
inner.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="w1", unk_token="w0")
tokenizer.chat_template = "{% for m in messages %}{{ m['role'] + ' ' + m['content'] + ' ' }}{% endfor %}"
tokenizer.save_pretrained(folder)
torch.manual_seed(1)
config = LlamaConfig(vocab_size=shape["vocabulary"], hidden_size=shape["hidden"], intermediate_size=shape["inner"],
    num_hidden_layers=shape["layers"], num_attention_heads=shape["heads"], num_key_value_heads=shape["kv_heads"], head_dim=shape["head"],
    max_position_embeddings=131072, bos_token_id=None, eos_token_id=1, tie_word_embeddings=False)
with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
    torch.set_default_dtype(torch.bfloat16)
    LlamaForCausalLM(config).save_pretrained(folder)
"""
COPY = """
import time, torch
card = torch.cuda.is_available()
size, wait = (4 << 30, torch.cuda.synchronize) if card else (1 << 28, lambda: None)
a = torch.empty(size, dtype=torch.uint8, device="cuda" if card else "cpu"); b = torch.empty_like(a)
best = 1e9
for _ in range(12):
    wait(); begun = time.perf_counter(); b.copy_(a); wait()
    best = min(best, time.perf_counter() - begun)
print(2 * size / best)
"""


def call(*words: str) -> str:
    """What a command that must succeed printed."""
    done = subprocess.run(words, cwd=REPO, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words[:6])} … failed:\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done.stdout


class Bench:
    """One model, served by the product in a folder of its own."""

    def __init__(self, folder: Path, shape: Shape, times: int) -> None:
        self.folder, self.shape, self.times = folder, shape, times
        self.python = f"{call('./lorewright', 'envs', 'build', 'serve').strip()}/bin/python"
        self.draw = random.Random(5)
        self.recipe = folder / "bench.yaml"
        longest = max(shape.contexts) + shape.new + 512
        self.recipe.write_text(json.dumps({
            "recipe": "bench", "base_model": str(folder / "model"), "serve": {"port": PORTS[0], "preset": "none"},
            "vllm": {"max_model_len": longest, "max_num_seqs": 16, "gpu_memory_utilization": 0.9, "generation_config": "vllm"},
            "rag": {"sources": [str(REPO / "RAG" / "data")], "port": PORTS[1], "top_k": 3, "max_distance": 2.0},
        }))  # fmt: skip

    def make_model(self) -> None:
        call(self.python, "-c", MAKE, str(self.folder / "model"), json.dumps(self.shape.__dict__))

    def lorewright(self, *words: str) -> str:
        return call("./lorewright", *words, "--runs", str(self.folder / "runs"))

    def start(self, service: str, *options: str) -> None:
        self.lorewright(service, str(self.recipe), *(word for option in options for word in ("--set", option)))

    def words(self, count: int) -> str:
        return " ".join(f"w{token}" for token in self.prompt(count))

    def prompt(self, tokens: int) -> list[int]:
        return [self.draw.randrange(2, self.shape.vocabulary) for _ in range(tokens)]


def post(port: int, path: str, body: dict[str, Any]) -> tuple[float, float, dict[str, Any]]:
    """Seconds to the first token and to the end of a streamed answer, and its usage."""
    payload = json.dumps({"model": "bench", "stream": True, "stream_options": {"include_usage": True}, "temperature": 0} | body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", payload, {"content-type": "application/json"})
    begun, first, usage = time.perf_counter(), 0.0, {}
    with urllib.request.urlopen(request, timeout=600) as reply:
        for line in reply:
            if line.startswith(b"data: {"):
                piece = json.loads(line[6:])
                usage = piece.get("usage") or usage
                first = first or (time.perf_counter() - begun if piece.get("choices") else 0.0)
    return first, time.perf_counter() - begun, usage


def decode(bench: Bench, context: int, **more: Any) -> tuple[float, float]:
    """(tokens/s after the first token, tokens/s of the whole request), the medians."""
    written, whole = [], []
    for _ in range(bench.times):
        body = {"prompt": bench.prompt(context), "max_tokens": bench.shape.new, "ignore_eos": True} | more
        first, total, usage = post(PORTS[0], "/v1/completions", body)
        count = usage["completion_tokens"]
        written.append((count - 1) / (total - first))
        whole.append(count / total)
    return statistics.median(written), statistics.median(whole)


def together(bench: Bench, streams: int, context: int) -> float:
    """Tokens a second of several streams at once."""
    from concurrent.futures import ThreadPoolExecutor

    bodies = [{"prompt": bench.prompt(context), "max_tokens": bench.shape.new, "ignore_eos": True} for _ in range(streams)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(streams) as pool:
        counts = [usage["completion_tokens"] for _, _, usage in pool.map(lambda body: post(PORTS[0], "/v1/completions", body), bodies)]
    return sum(counts) / (time.perf_counter() - begun)


def counters(*names: str) -> list[float]:
    """vLLM's counters of these names, summed over their labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PORTS[0]}/metrics", timeout=30) as reply:
        text = reply.read().decode()
    return [sum(map(float, re.findall(rf"^vllm:{name}_total\{{[^}}]*\}} (\S+)$", text, re.MULTILINE))) for name in names]


def chat(bench: Bench, port: int, turns: int, lore: str) -> tuple[float, float]:
    """(seconds of a conversation, share of its prompt tokens that were still in the cache)."""
    messages = [{"role": "system", "content": bench.words(60)}]
    control = {"lore": lore} if port == PORTS[1] else {}
    before, begun = counters(*CACHE), time.perf_counter()
    for _ in range(turns):
        messages.append({"role": "user", "content": f"Describe Elena's arm and the clock tower {bench.words(9)}"})
        body = {"messages": messages, "max_tokens": bench.shape.new // 2, "ignore_eos": True} | control
        post(port, "/v1/chat/completions", body)
        messages.append({"role": "assistant", "content": bench.words(40)})
    seconds, after = time.perf_counter() - begun, counters(*CACHE)
    return seconds, (after[1] - before[1]) / max(after[0] - before[0], 1)


def decode_rows(bench: Bench, rate: float, how: str = "") -> tuple[list[Row], float]:
    """how: what is said of the server after the context."""
    rows, at_first = [], 0.0
    for context in bench.shape.contexts:
        written, whole = decode(bench, context)
        bound = rate / bench.shape.bytes_read(context)
        at_first = at_first or written
        share = written / bound
        said = f"{written:.0f} tokens/s, {whole:.0f} with the prompt; {share:.0%} of the bound"
        rows.append((f"one stream at {context:,} tokens{how}", said, "≥ 85 %", share >= 0.85))
    return rows, at_first


def proxy_rows(bench: Bench) -> list[Row]:
    """Conversations direct, through the proxy without lore, and with it, in turn; the first of each is not counted."""
    ways = {"direct": (PORTS[0], ""), "through": (PORTS[1], "off"), "lore": (PORTS[1], "on")}
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(bench.times + 1):
        for way, (port, lore) in ways.items():
            found[way].append(chat(bench, port, 6, lore))
    seconds = {way: statistics.median(took for took, _ in rows[1:]) for way, rows in found.items()}
    hits = {way: statistics.median(share for _, share in rows[1:]) for way, rows in found.items()}
    more = seconds["through"] / seconds["direct"] - 1
    through = f"{seconds['through']:.2f} s ({more:+.1%})"
    with_lore = f"{seconds['lore']:.2f} s, {hits['lore']:.0%} from the cache"
    return [
        ("conversation of 6 turns, direct", f"{seconds['direct']:.2f} s, {hits['direct']:.0%} of its prompt from the cache", "", True),
        ("the same through the proxy, lore off", through, "within 2 %", more <= 0.02),
        ("the same through the proxy with lore", with_lore, "the hit rate is stated", True),
    ]


def variant_rows(bench: Bench, rate: float, at_first: float, parts: Sequence[str]) -> list[Row]:
    """Each option of speed beside the plain server of the same run, in a server of its own."""
    rows: list[Row] = []
    first = bench.shape.contexts[0]
    if "autotune" in parts:
        serve(bench, "vllm.compilation_config.compile_sizes=[1]")
        decoded, faster = decode_rows(bench, rate, ", compiled for one stream")
        rows += [*decoded, (f"compiled for one stream, at {first:,} tokens", f"{faster / at_first:.2f} × plain", "", True)]
    if "fp8" in parts:
        serve(bench, "vllm.quantization=fp8")
        faster = decode(bench, first)[0] / at_first
        rows.append((f"FP8 at {first:,} tokens", f"{faster:.2f} × bf16", "≥ 1.5 ×", faster >= 1.5))
    if "ngram" in parts:
        serve(bench)
        plain = {text: decode(bench, first, **more)[0] for text, more in GUESSED.items()}
        serve(bench, 'vllm.speculative_config={"method":"ngram","num_speculative_tokens":4,"prompt_lookup_max":4}')
        for text, more in GUESSED.items():
            before = counters(*SPEC)
            faster = decode(bench, first, **more)[0] / plain[text]
            drafts, right = (now - then for now, then in zip(counters(*SPEC), before, strict=True))
            rows.append((f"guesses from the text itself, {text}", f"{faster:.2f} × plain, {right / max(drafts, 1):.0%} right", "", True))
    return rows


def serve(bench: Bench, *options: str) -> None:
    """Another server in place of the one that runs, warm."""
    bench.lorewright("stop")
    bench.start("serve", *options)
    decode(bench, bench.shape.contexts[0])


def measure(bench: Bench, parts: Sequence[str], say: Callable[[str], None]) -> list[Row]:
    bench.make_model()
    rate = float(call(bench.python, "-c", COPY))
    say(f"copies {rate / 1e12:.2f} TB/s")
    rows: list[Row] = [("memory", f"copies {rate / 1e12:.2f} TB/s", "", True)]
    try:
        bench.start("rag" if "proxy" in parts else "serve")
        decode(bench, bench.shape.contexts[0])  # the first requests compile
        decoded, at_first = decode_rows(bench, rate)
        rows += decoded
        rows.append(("9 streams", f"{together(bench, 9, bench.shape.contexts[0]):.0f} tokens/s together", "", True))
        say("decode is measured")
        rows += proxy_rows(bench) if "proxy" in parts else []
        rows += variant_rows(bench, rate, at_first, parts)
    finally:
        bench.lorewright("stop")
    return rows


def machine() -> str:
    try:
        named = call("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader").splitlines()[0]
    except (OSError, SystemExit):
        named = f"{os.cpu_count()} processors, no card"
    return named


def _reached(goal: str, good: bool) -> str:
    return ("yes" if good else "no") if goal else ""


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures serving with random weights of a known shape.")
    parser.add_argument("--shape", choices=SHAPES, default="8b")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS, help="what to measure beside plain serving")
    parser.add_argument("--folder", type=Path, help="where the model is made (default: a temporary folder)")
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(given.folder or Path(temporary), SHAPES[given.shape], given.times)
        rows = measure(bench, given.parts, lambda text: print(text, file=sys.stderr, flush=True))
    head = [
        f"Shape {given.shape}, random weights, median of {given.times}; {machine()}",
        "",
        "| what | measured | to reach | reached |",
        "|---|---|---|---|",
    ]
    text = "\n".join([*head, *(f"| {what} | {got} | {goal} | {_reached(goal, good)} |" for what, got, goal, good in rows)])
    print(text)
    if given.write:
        given.write.write_text(f"# Serving\n\n{text}\n", encoding="utf-8")
    return 0 if all(good for *_, good in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
