#!/usr/bin/env python3
"""Trains gpt-oss from a folder in NF4, and beside it from the original in MXFP4, whose experts are quantised while they are loaded.

    python benchmarks/gpu_nf4.py [--folder FOLDER] [--write FILE.json] [--steps 20] [--minutes 8] [--experts] [--tiny]

Random weights at the shape of gpt-oss-20b: made in MXFP4, converted by `lorewright convert`, trained with the keys of
configs/gpt-oss-nf4.yaml, once from the NF4 folder and once with `quantize_moe_experts` from the original, with the same seed and examples;
from the NF4 folder once more where time is left, to see by how much two trainings of one model differ. --experts: adapters on the experts
too. Time and memory of loading, memory
and speed of training, and every step's loss side by side. Where the recipe's Liger kernels fail here, all run without them, and it is said.
FOLDER: room for 28 GB. --tiny: a model of a few thousand parameters, to see that it runs; without a card experts are quantised nowhere
but in the folder. Needs what gpu_training.py needs. Ends with 1 if a training fails.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from gpu_training import REPO, WARM, Card, config_of, figures, machine, train, versions, waiting
from training_cases import PLAIN, SHAPES, Case, small

from lorewright import envs
from lorewright.recipe import load

RECIPE, MODEL = "gpt-oss-nf4", "openai/gpt-oss-20b"
LOADED = re.compile(r"LOADED (\{.*\})")
KEYS = {"gradient_accumulation_steps": 1, "eval_batch_size": 1}
# name -> the model's folder, and what is done while it is loaded
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "stored": ("nf4", {"quantize_moe_experts": None}),
    "at_load": ("model", {"quantize_moe_experts": True}),
    "stored_again": ("nf4", {"quantize_moe_experts": None}),
}


def made(folder: Path, python: Path, shape: Mapping[str, Any], length: int, samples: int) -> float:
    """The original and its examples. Returns the seconds."""
    begun = time.monotonic()
    maker = [str(python), str(REPO / "benchmarks" / "random_mxfp4.py"), str(folder), json.dumps(shape), str(length), str(samples)]
    subprocess.run(maker, check=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    return time.monotonic() - begun


def converted(folder: Path, python: Path) -> dict[str, Any]:
    """The NF4 folder, by the command that a person would use. python: what runs it where ours has no torch."""
    begun = time.monotonic()
    able = sys.executable if find_spec("torch") and find_spec("numpy") else str(python)
    command = [able, "-m", "lorewright.cli", "convert", str(folder / "model"), str(folder / "nf4"), "--overwrite"]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": f"{REPO / 'src'}:{os.environ.get('PYTHONPATH', '')}"})
    size = sum(file.stat().st_size for file in (folder / "nf4").iterdir())
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return {"seconds": round(time.monotonic() - begun, 1), "bytes": size, "largest_process_bytes": peak}


def trained(way: str, folder: Path, python: Path, change: Mapping[str, Any], steps: int, *, tiny: bool, more: bool) -> dict[str, Any]:
    """One training, measured. Raises subprocess.CalledProcessError or ValueError where it fails."""
    base, loading = WAYS[way]
    shape = small(SHAPES[MODEL]) if tiny else SHAPES[MODEL]
    config = config_of(
        way, Case(RECIPE, {**KEYS, **change, **loading}, steps=steps), load(REPO / "configs" / f"{RECIPE}.yaml"), folder, tiny=tiny
    )
    if shutil.which("nvidia-smi"):  # a tiny case leaves it out, for a processor
        config |= {key: value for key, value in loading.items() if value}
    config |= {"base_model": str(folder / base), "plugins": [*config["plugins"], "loading_measured.LoadingMeasured"]}
    file, log = folder / f"{way}.yaml", folder / f"{way}.log"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    with Card() as card:
        logged, evaluated = train(python, file, log, more=more)
    if len(logged) != config["max_steps"] or not evaluated:
        raise ValueError(f"{way}: {len(logged)} of {config['max_steps']} steps logged; see {log}")
    loaded = LOADED.search(log.read_text(encoding="utf-8"))
    return figures(config, shape, logged, 2 if tiny else WARM, card) | {
        "loading": json.loads(loaded[1]) if loaded else {},
        "losses": [float(point["loss"]) for _, point in logged],
        "grad_norms": [float(point["grad_norm"]) for _, point in logged],
        "eval_loss": float(evaluated[-1]["eval_loss"]),
    }


def all_ways(folder: Path, python: Path, given: argparse.Namespace, begun: float) -> dict[str, Any]:
    """Every way's figures by its name, or {"failed": why}; and under "left_out" the recipe's keys that fail here."""
    found: dict[str, Any] = {}
    own = {"lora_target_parameters": ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]} if given.experts else {}
    change: Mapping[str, Any] = {}
    for way in WAYS:
        started = time.monotonic()
        if way == "stored_again" and (failed(found.get("stored", {})) or _late(found, begun, given.minutes)):
            continue
        for again in ({}, PLAIN):
            try:
                found[way] = trained(
                    way, folder, python, own | dict(change or again), given.steps, tiny=given.tiny, more=way != "stored_again"
                )
                change = change or again
                break
            except (subprocess.CalledProcessError, ValueError) as problem:
                found[way] = {"failed": f"{problem}\n{(getattr(problem, 'output', '') or '')[-2000:]}"}
                print(f"{way} failed{'' if change or again else ', once more without Liger'}: {found[way]['failed']}", flush=True)
                if change or found.get("stored", {}).get("losses"):
                    break
        found[way]["wall_seconds"] = round(time.monotonic() - started, 1)
        print(said(way, found[way]), flush=True)
    for left in waiting:  # one that was started for a training that is left out
        left.kill()
        left.wait()
    return found | {"left_out": sorted(change)}


def failed(figures_of_one: Mapping[str, Any]) -> bool:
    return "losses" not in figures_of_one


def _late(found: Mapping[str, Any], begun: float, minutes: float) -> bool:
    return time.monotonic() - begun + 1.3 * found["stored"]["wall_seconds"] > 60 * minutes


def said(way: str, found: Mapping[str, Any]) -> str:
    if failed(found):
        return f"{way}: failed"
    loading, gib = found["loading"], 2**30
    host = (loading["host_peak_bytes"] - loading["host_before_bytes"]) / gib
    return (
        f"{way}: loaded in {loading['seconds']:.1f} s, host +{host:.2f} GiB, card {loading['card_peak_bytes'] / gib:.2f} GiB at most and "
        f"{loading['card_after_bytes'] / gib:.2f} after; training {found['peak_allocated_gib']:.2f} GiB allocated, "
        f"{found['peak_reserved_gib']:.2f} reserved, {found['tokens_per_second']:,.0f} tokens/s; loss {found['losses'][0]:.4f} -> "
        f"{found['losses'][-1]:.4f}, held out {found['eval_loss']:.4f}"
    )


def apart(found: Mapping[str, Any]) -> dict[str, float]:
    """By how much the losses of two trainings differ at most, and over all steps on average."""
    pairs = {"at_load": ("stored", "at_load"), "by_chance": ("stored", "stored_again")}
    told = {}
    for name, (one, other) in pairs.items():
        if not failed(found.get(one, {})) and not failed(found.get(other, {})):
            gaps = [abs(a - b) for a, b in zip(found[one]["losses"], found[other]["losses"], strict=True)]
            told |= {f"{name}_most": max(gaps), f"{name}_mean": sum(gaps) / len(gaps)}
    return told


def side_by_side(found: Mapping[str, Any]) -> str:
    ways = [way for way in WAYS if not failed(found.get(way, {}))]
    if not ways:
        return "no training ended"
    lines = [f"| step | {' | '.join(ways)} |", "|---|" + "---|" * len(ways)]
    for step, losses in enumerate(zip(*(found[way]["losses"] for way in ways), strict=True), start=1):
        lines.append(f"| {step} | {' | '.join(f'{loss:.4f}' for loss in losses)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Trains gpt-oss from NF4 and from MXFP4 with random weights, side by side.")
    parser.add_argument("--folder", type=Path, help="where models are made and kept (default: a temporary folder)")
    parser.add_argument("--write", type=Path, help="the figures as JSON")
    parser.add_argument("--steps", type=int, default=20, help=f"after {WARM} of warm-up")
    parser.add_argument("--minutes", type=float, default=8, help="the last training is left out where it would end later")
    parser.add_argument("--experts", action="store_true", help="adapters on the experts' parameters too")
    parser.add_argument("--tiny", action="store_true")
    given, begun = parser.parse_args(), time.monotonic()
    named = os.environ.get("LOREWRIGHT_TRAIN_PYTHON")
    python = Path(named) if named else envs.ensure("train").path / "bin" / "python"
    shape = small(SHAPES[MODEL]) if given.tiny else SHAPES[MODEL]
    length = 128 if given.tiny else load(REPO / "configs" / f"{RECIPE}.yaml").axolotl["sequence_len"]  # type: ignore[index]
    told: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(python),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "shape": shape,
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        told["made_seconds"] = round(made(folder, python, shape, length, 4 * (WARM + given.steps)), 1)
        told["convert"] = converted(folder, python)
        print(f"{machine()}; made in {told['made_seconds']} s, converted in {told['convert']['seconds']} s", flush=True)
        told |= all_ways(folder, python, given, begun) | {"experts": given.experts}
    told |= {"apart": apart(told), "wall_seconds": round(time.monotonic() - begun, 1)}
    print(f"\n{side_by_side(told)}\n\nlosses differ by: {json.dumps(told['apart'])}; {told['wall_seconds']} s in all", flush=True)
    if given.write:
        given.write.write_text(json.dumps(told, indent=1), encoding="utf-8")
    return 1 if any(failed(told.get(way, {})) for way in ("stored", "at_load")) else 0


if __name__ == "__main__":
    sys.exit(main())
