#!/usr/bin/env python3
"""How far rounding moves a model's next words: what the parity gate's bounds must let pass, and what they must not.

    PYTHONPATH=src python benchmarks/parity_bounds.py RUNS FOLDER

Run it with the core or dev environment. RUNS: where `./lorewright run configs/starter.yaml` has been, with its training, merge and parity.
FOLDER gets the observations. The starter's merged model is computed and stored in other types, by plain rounding of every linear layer
(a serving kernel may do better); so is a Llama of random weights. The QLoRA rows merge the same adapter into the base in 4 bits, as
Axolotl does and with our plugin, against that base with the adapter beside it. Prints the tables of benchmarks/results/parity_bounds.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
WORKERS = REPO / "src" / "lorewright" / "workers"
HEAD = "| against | is | divergence | highest | same first | adapter |\n|---|---|---|---|---|---|"
RANDOM = {"vocab_size": 2048, "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4}
ROUNDED = ("computed in bf16", "computed in fp16", "fp8, a scale a row", "fp8, a scale a matrix", "int8", "int4, groups of 128")


def main(runs: Path, folder: Path) -> None:
    from lorewright import envs, process

    folder.mkdir(parents=True, exist_ok=True)
    env = envs.ensure("train")
    variables = process.tool_environment(env, {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(WORKERS)})
    words = [str(runs.resolve() / "starter" / "latest"), str(folder.resolve())]
    subprocess.run(
        [env.python, __file__, "--observe", *words], env=variables, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    print("starter\n", HEAD, sep="\n")
    print(row(folder, "trained", "merged", ("trained", "base")))
    for name in ROUNDED:
        print(row(folder, "merged", name, ("trained", "base")))
    for name in ("QLoRA merge by Axolotl", "QLoRA merge with our plugin", "merged"):
        print(row(folder, "trained in 4 bits", name, ("trained in 4 bits", "base in 4 bits")))
    print("\nrandom weights\n", HEAD, sep="\n")
    for name in ROUNDED:
        print(row(folder, "random", f"random {name}", None))


def row(folder: Path, reference: str, other: str, adapter: tuple[str, str] | None) -> str:
    from lorewright.models.parity.compare import Bound, compare

    sides = [folder / f"{name}.jsonl" for name in adapter] if adapter else []
    verdict = compare(folder / f"{reference}.jsonl", folder / f"{other}.jsonl", Bound(1.0, 0.0), *sides)
    share = f"{verdict.share.there:.1%}" if verdict.share else ""
    return f"| {reference} | {other} | {verdict.kl:.6f} | {verdict.worst:.4f} | {verdict.top1:.1%} | {share} |"


# What follows runs in the train environment.


def observe(latest: Path, folder: Path) -> None:
    import merge_as_trained
    import parity_transformers as worker
    import torch
    from axolotl.cli.utils.lora_merge import merge_lora_sharded_efficient
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

    asked = [json.loads(line) for line in (latest / "parity/asked.jsonl").read_text(encoding="utf-8").splitlines()]
    seen = [json.loads(line)["prompt_ids"] for line in (latest / "parity/trained.jsonl").read_text(encoding="utf-8").splitlines()]
    trained = next(model for model in json.loads((latest / "parity/request.json").read_text())["models"] if model["name"] == "trained")

    def note(name: str, model: Any) -> None:
        worker.write(folder / f"{name}.jsonl", model, asked, seen)

    for four_bit, after in ((False, ""), (True, " in 4 bits")):
        model = worker.load(trained | {"four_bit": four_bit}, 0, room=True)
        note(f"trained{after}", model)
        with model.disable_adapter():
            note(f"base{after}", model)
    merged = latest / "merge/merged"
    note("merged", AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32).eval())
    for name, model in rounded(lambda kind: AutoModelForCausalLM.from_pretrained(merged, dtype=kind).eval()):
        note(name, model)
    for name in ("QLoRA merge by Axolotl", "QLoRA merge with our plugin"):
        merge_lora_sharded_efficient(trained["model"], trained["adapter"], folder / name, device="cpu", simulate_nf4=True)
        note(name, AutoModelForCausalLM.from_pretrained(folder / name, dtype=torch.float32).eval())
        merge_as_trained.AsTrained().register(None)  # for the second

    torch.manual_seed(3)
    config = LlamaConfig(**RANDOM, num_key_value_heads=2, initializer_range=0.08, tie_word_embeddings=True)
    weights = {key: value.to(torch.bfloat16) for key, value in LlamaForCausalLM(config).state_dict().items()}

    def made(kind: Any) -> Any:
        model = LlamaForCausalLM(config)
        model.load_state_dict(weights)
        return model.to(kind).eval()

    seen = [[token % RANDOM["vocab_size"] for token in prompt] for prompt in seen]
    asked = [question | {"answer_ids": [token % RANDOM["vocab_size"] for token in question["answer_ids"]]} for question in asked]
    note("random", made(torch.float32))
    for name, model in rounded(made):
        note(f"random {name}", model)


def rounded(make: Callable[[Any], Any]) -> Iterator[tuple[str, Any]]:
    """The model in each of ROUNDED."""
    import torch

    yield ROUNDED[0], make(torch.bfloat16)
    yield ROUNDED[1], make(torch.float16)

    def to_fp8(weight: Any, scale: Any) -> Any:
        return (weight / scale).to(torch.float8_e4m3fn).float() * scale

    def to_int(weight: Any, most: int) -> Any:
        scale = weight.abs().amax(-1, keepdim=True) / most
        return (weight / scale).round() * scale

    ways = (
        lambda weight: to_fp8(weight, weight.abs().amax(1, keepdim=True) / 448),
        lambda weight: to_fp8(weight, weight.abs().amax() / 448),
        lambda weight: to_int(weight, 127),
        lambda weight: to_int(weight.reshape(-1, 128), 7).reshape(weight.shape),
    )
    for name, way in zip(ROUNDED[2:], ways, strict=True):
        model = make(torch.float32)
        for place, module in model.named_modules():
            if isinstance(module, torch.nn.Linear) and not place.endswith("lm_head"):
                module.weight.data = way(module.weight.data)
        yield name, model


if __name__ == "__main__":
    if sys.argv[1:2] == ["--observe"]:
        observe(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
