#!/usr/bin/env python3
"""Measures one card beside two: tokens a second and memory of recipes whose step is shared out, with random weights of the true shape.

    python benchmarks/gpu_two.py [CASE …] [--folder FOLDER] [--write FILE.json] [--steps N] [--tiny]

Each case is trained once on one card and once on two, in the same run; a step has the same examples on both, as `train.keep_batch` has it.
`zero2` and `fsdp2` are compared with the same recipe on one card without them. --tiny: a model of a few thousand parameters, in two
processes without a card, to see that it runs. Needs what gpu_training.py needs; `zero2` needs DeepSpeed too (envs add deepspeed).
Ends with 1 if a ratio is missed or a case fails.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from gpu_training import REPO, WARM, Card, config_of, figures, machine, train, versions
from training_cases import SHAPES, Case, small

from lorewright import envs
from lorewright.recipe import load
from lorewright.training.several import for_each

GOAL = 1.9
MODEL = "meta-llama/Llama-3.1-8B-Instruct"


@dataclass(frozen=True)
class Two:
    """recipe: on one card. shared: the recipe that two cards train, where it is another. zero: of configs/deepspeed, for two cards."""

    recipe: str
    shared: str = ""
    zero: str = ""


CASES = {
    "qlora": Two("qlora_style_transfer"),
    "lora": Two("lora_style_transfer"),
    "zero2": Two("lora_style_transfer", zero="zero2"),
    "fsdp2": Two("lora_style_transfer", shared="lora_style_transfer_fsdp2"),
}


def run_one(name: str, case: Two, cards: int, root: Path, python: Path, steps: int, *, tiny: bool) -> dict[str, Any]:
    """One training, measured. Raises subprocess.CalledProcessError or ValueError where it fails."""
    recipe = load(REPO / "configs" / f"{case.shared if cards > 1 and case.shared else case.recipe}.yaml")
    folder, shape = root / MODEL.replace("/", "--"), small(SHAPES[MODEL]) if tiny else SHAPES[MODEL]
    config = config_of(f"{name}-{cards}", Case(recipe.name, steps=steps), recipe, folder, tiny=tiny)
    whole = config["micro_batch_size"] * config["gradient_accumulation_steps"]
    folder.mkdir(parents=True, exist_ok=True)
    maker = [str(python), str(REPO / "benchmarks" / "random_model.py"), str(folder), json.dumps(shape)]
    subprocess.run([*maker, str(config["sequence_len"]), str(whole * config["max_steps"])], check=True)
    if cards > 1 and case.zero and not tiny:
        config["deepspeed"] = str(REPO / "configs" / "deepspeed" / f"{case.zero}.json")
    if cards > 1 and tiny:
        config |= {"plugins": ["on_processor.OnProcessor"]}
    file = folder / f"{name}-{cards}.yaml"
    file.write_text(yaml.safe_dump(for_each(config, cards)), encoding="utf-8")
    with Card() as card:
        logged, _ = train(python, file, folder / f"{name}-{cards}.log", cards)
    if len(logged) != config["max_steps"]:
        raise ValueError(f"{name}: {len(logged)} of {config['max_steps']} steps logged")
    return figures(config, shape, logged, 2 if tiny else WARM, card)


def row(name: str, found: Mapping[str, Any], *, tiny: bool) -> str:
    """One line of the table. Memory is that of the first card."""
    one, two, ratio = found["one"], found["two"], found["ratio"]
    missed = not tiny and name in ("qlora", "lora") and ratio < GOAL
    peaks = f"{one['peak_reserved_gib']:.2f} | {two['peak_reserved_gib']:.2f}"
    rates = f"{one['tokens_per_second']:,.0f} | {two['tokens_per_second']:,.0f}"
    return f"| {name} | {peaks} | {rates} | {ratio:.2f}{f' (≥ {GOAL}: MISSED)' if missed else ''} |"


HEAD = "| case | one card GiB | two, each GiB | one tokens/s | two tokens/s | ratio |\n|---|---|---|---|---|---|"


def measured(names: list[str], root: Path, python: Path, given: argparse.Namespace) -> bool:
    """Runs the cases and keeps each as soon as it is there; whether all went well."""
    kept = json.loads(given.write.read_text(encoding="utf-8")) if given.write and given.write.exists() else {}
    well, ones = True, {}
    for name in names:
        case = CASES[name]
        try:
            if case.recipe not in ones:
                ones[case.recipe] = run_one(name, case, 1, root, python, given.steps, tiny=given.tiny)
            one, two = ones[case.recipe], run_one(name, case, 2, root, python, given.steps, tiny=given.tiny)
        except (subprocess.CalledProcessError, ValueError) as problem:
            print(f"{name} failed: {problem}\n{getattr(problem, 'output', '') or ''}", flush=True)
            well = False
            continue
        told = {"machine": machine(), "versions": versions(python), "date": time.strftime("%Y-%m-%d", time.gmtime())}
        kept[name] = told | {"one": one, "two": two, "ratio": round(two["tokens_per_second"] / one["tokens_per_second"], 3)}
        line = row(name, kept[name], tiny=given.tiny)
        well &= "MISSED" not in line
        print(line, flush=True)
        if given.write:
            given.write.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return well


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures one card beside two, with random weights of a known shape.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)} (default: all)")
    parser.add_argument("--folder", type=Path, help="where the model is made and kept (default: a temporary folder)")
    parser.add_argument("--write", type=Path, help="the figures as JSON; cases of earlier runs in it are kept")
    parser.add_argument("--steps", type=int, default=50, help="steps after those of the warm-up")
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    if wrong := [name for name in given.cases if name not in CASES]:
        parser.error(f"no case {', '.join(wrong)}; there are {', '.join(CASES)}")
    named = os.environ.get("LOREWRIGHT_TRAIN_PYTHON")
    python = Path(named) if named else envs.ensure("train").path / "bin" / "python"
    print(f"{machine()}\n\n{HEAD}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        well = measured(given.cases or list(CASES), (given.folder or Path(temporary)).absolute(), python, given)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
