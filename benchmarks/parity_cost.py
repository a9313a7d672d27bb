#!/usr/bin/env python3
"""What the parity gate adds to a run beyond the servers' start: base and adapter against merged, merged against served.

    PYTHONPATH=src python benchmarks/parity_cost.py FOLDER                the starter's recipe, as a user has it
    PYTHONPATH=src python benchmarks/parity_cost.py FOLDER --shape 8b     random weights of that shape; tiny tries it on a processor

Run it with the core or dev environment. The first trains the starter once (into FOLDER), starts vLLM once and looks --times times, by
`./lorewright parity --force`; the seconds are those of the stages' own records. The second makes a base model, an adapter on every linear
layer and a vLLM of its own, and times the worker and the questions to the server as the stages start them; the merged model is the
base's files, since what is asked takes as long whatever the weights are. Prints the median of all.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
PORTS = (8971, 8972)
RANK = 64
SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {
        "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "vocab_size": 2048,
    },
    "8b": {
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "vocab_size": 128256,
    },
}  # fmt: skip


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    words.add_argument("folder", type=Path)
    words.add_argument("--shape", choices=["starter", *SHAPES], default="starter")
    words.add_argument("--times", type=int, default=5)
    given = words.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    folder = given.folder.resolve()
    rows = starter(folder, given.times) if given.shape == "starter" else of_shape(folder, given.shape, given.times)
    print(f"shape {given.shape}, {given.times} times\n\n| | median s | all |\n|---|---|---|")
    for name, took in {**rows, "together": [sum(pair) for pair in zip(*rows.values(), strict=True)]}.items():
        print(f"| {name} | {statistics.median(took):.1f} | {', '.join(f'{seconds:.1f}' for seconds in took)} |")


def starter(folder: Path, times: int) -> dict[str, list[float]]:
    """Seconds of both stages, by their records."""
    ports = ["--set", f"serve.port={PORTS[0]}", "--set", f"rag.port={PORTS[1]}"]

    def call(verb: str, *more: str) -> None:
        done = subprocess.run([str(REPO / "lorewright"), verb, *more, "--runs", str(folder)], capture_output=True, text=True, cwd=REPO)
        if done.returncode:
            sys.exit(f"{verb} failed:\n{done.stdout}{done.stderr}")

    recipe = ["configs/starter.yaml", *ports]
    took: dict[str, list[float]] = {"parity": [], "parity_served": []}
    call("merge", *recipe) if (folder / "starter/latest/train").exists() else call("run", *recipe)
    call("serve", *recipe)
    try:
        for _ in range(times):
            call("parity", *recipe, "--force")
            for stage, seconds in took.items():
                seconds.append(json.loads((folder / "starter/latest" / stage / "step.json").read_text())["seconds"])
    finally:
        call("stop")
    return took


def of_shape(folder: Path, name: str, times: int) -> dict[str, list[float]]:
    from lorewright import envs, process
    from lorewright.models.parity.questions import Asking, write_questions
    from lorewright.models.parity.served import Server, observe, stops_after

    train, serve = envs.ensure("train"), envs.ensure("serve")
    base, adapter = folder / "model", folder / "adapter"
    variables = process.tool_environment(train, {"HF_HUB_OFFLINE": "1"})
    subprocess.run([train.python, __file__, "--make", name, str(folder)], env=variables, check=True)
    (folder / "validation.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chats(SHAPES[name]["vocab_size"])))
    print(write_questions(folder, Asking(base, {}, 1024), folder / "asked.jsonl"), flush=True)
    request(folder, base, adapter)
    worker = [train.python, str(REPO / "src/lorewright/workers/parity_transformers.py"), "request.json"]
    took: dict[str, list[float]] = {"parity": [], "parity_served": []}
    for _ in range(times):
        begun = time.monotonic()
        subprocess.run(worker, cwd=folder, env=variables, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took["parity"].append(time.monotonic() - begun)
    server = Server(f"http://127.0.0.1:{PORTS[0]}", "shape", 20)
    with serving(serve, base, folder):
        for _ in range(times):
            begun = time.monotonic()
            observe(server, folder / "asked.jsonl", folder / "served.jsonl", lambda *_: None)
            stops_after(server, [2, 3], 1)
            took["parity_served"].append(time.monotonic() - begun)
    return took


def chats(vocabulary: int) -> list[dict[str, Any]]:
    """Examples of known length, as a set of passages has them."""
    draw = random.Random(5)

    def said(count: int) -> str:
        return " ".join(f"w{draw.randrange(3, vocabulary)}" for _ in range(count))

    return [{"messages": [{"role": "user", "content": said(100)}, {"role": "assistant", "content": said(200)}]} for _ in range(6)]


def request(folder: Path, base: Path, adapter: Path) -> None:
    plain = {
        "revision": "",
        "adapter": "",
        "four_bit": False,
        "base": "",
        "trust_remote_code": False,
        "model": str(base),
        "tokenizer": str(base),
    }
    trained = plain | {"name": "trained", "adapter": str(adapter), "observed": "trained.jsonl", "base": "base.jsonl"}
    models = [trained, plain | {"name": "merged", "observed": "merged.jsonl"}]
    (folder / "request.json").write_text(json.dumps({"asked": "asked.jsonl", "models": models}))


class serving:  # noqa: N801 (used as a word)
    """vLLM on the model while the block runs."""

    def __init__(self, env: Any, model: Path, folder: Path) -> None:
        from lorewright import envs, process

        cpu = envs.accelerator() == "cpu"
        more = ["--enforce-eager"] if cpu else []
        self.command = [
            env.python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model), "--served-model-name", "shape",
            "--port", str(PORTS[0]), "--max-model-len", "2048", *more,
        ]  # fmt: skip
        self.variables = process.tool_environment(env, {"HF_HUB_OFFLINE": "1"} | ({"VLLM_CPU_KVCACHE_SPACE": "1"} if cpu else {}))
        self.log = folder / "vllm.log"

    def __enter__(self) -> None:
        from lorewright import services

        with open(self.log, "wb") as log:
            self.server = subprocess.Popen(self.command, env=self.variables, stdout=log, stderr=log, start_new_session=True)
        while services.fetch(f"http://127.0.0.1:{PORTS[0]}/health") is None:
            if self.server.poll() is not None:
                sys.exit(f"vLLM did not start: {self.log}")
            time.sleep(0.5)

    def __exit__(self, *_: object) -> None:
        from lorewright import process

        process.end_group(process.identity(self.server.pid))
        self.server.wait(timeout=60)


def make(name: str, folder: Path) -> None:
    """Runs in the train environment: base model and adapter, where they are not there yet."""
    import torch
    from random_model import make_model
    from safetensors.torch import save_file

    if not (folder / "model/config.json").exists():
        make_model(folder / "model", {"model_type": "llama", "tie_word_embeddings": False} | SHAPES[name])
    shape, adapter = SHAPES[name], folder / "adapter"
    hidden, inner = shape["hidden_size"], shape["intermediate_size"]
    kv = hidden // shape["num_attention_heads"] * shape["num_key_value_heads"]
    sizes = {
        "self_attn.q_proj": (hidden, hidden),
        "self_attn.k_proj": (kv, hidden),
        "self_attn.v_proj": (kv, hidden),
        "self_attn.o_proj": (hidden, hidden),
    }
    sizes |= {"mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner)}
    adapter.mkdir(exist_ok=True)
    pairs = {}
    for layer in range(shape["num_hidden_layers"]):
        for module, (out, into) in sizes.items():
            place = f"base_model.model.model.layers.{layer}.{module}"
            pairs[f"{place}.lora_A.weight"], pairs[f"{place}.lora_B.weight"] = torch.randn(RANK, into) * 0.01, torch.randn(out, RANK) * 0.01
    save_file(pairs, adapter / "adapter_model.safetensors", {"format": "pt"})
    targets = [module.rpartition(".")[2] for module in sizes]
    facts = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": RANK, "bias": "none", "target_modules": targets}
    (adapter / "adapter_config.json").write_text(json.dumps(facts | {"base_model_name_or_path": str(folder / "model")}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make(sys.argv[2], Path(sys.argv[3]))
    else:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        main()
