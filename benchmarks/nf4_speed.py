#!/usr/bin/env python3
"""Converts experts of gpt-oss-20b's shape to NF4, and beside it bitsandbytes; memory, speed, and whether every bit agrees.

    python benchmarks/nf4_speed.py FOLDER [--layers 2] [--runs 3]

FOLDER: room for about 0.9 GB a layer; emptied again. The model has 24 layers: memory does not grow with their number.
Needs the train environment; writes benchmarks/results/nf4_speed.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from math import prod
from pathlib import Path

import numpy as np

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "src"))
EXPERTS, GROUPS, ROWS = 32, 90, {"gate_up_proj": 5760, "down_proj": 2880}


def write_layers(folder: Path, layers: int) -> int:
    """Random MXFP4 experts, with the scales that such weights have. Returns how many weights they are."""
    shapes = {}
    for layer in range(layers):
        for name, rows in ROWS.items():
            shapes[f"model.layers.{layer}.mlp.experts.{name}_blocks"] = (EXPERTS, rows, GROUPS, 16)
            shapes[f"model.layers.{layer}.mlp.experts.{name}_scales"] = (EXPERTS, rows, GROUPS)
    header, end = {}, 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "U8", "shape": shape, "data_offsets": [end, end + prod(shape)]}
        end += prod(shape)
    text = json.dumps(header).encode()
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes.items():
            low, high = (110, 124) if name.endswith("_scales") else (0, 256)
            file.writelines(random.integers(low, high, prod(shape[1:]), dtype=np.uint8).data for _ in range(shape[0]))
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt_oss", "quantization_config": {"quant_method": "mxfp4"}}))
    return sum(2 * prod(shape) for name, shape in shapes.items() if name.endswith("_blocks"))


def measured(command: list[str], environment: dict[str, str]) -> tuple[float, int, str]:
    """Seconds, peak resident bytes, and what it printed."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed")
    return time.perf_counter() - begun, usage.ru_maxrss * 1024, text


def main() -> None:
    from lorewright import envs, process

    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("folder", type=Path)
    reader.add_argument("--layers", type=int, default=2)
    reader.add_argument("--runs", type=int, default=3)
    given = reader.parse_args()
    source, made = given.folder / "mxfp4", given.folder / "nf4"
    for old in (source, made):
        shutil.rmtree(old, ignore_errors=True)
    values = write_layers(source, given.layers)
    own = dict(os.environ) | {"PYTHONPATH": str(REPO / "src")}
    runs = [
        measured([sys.executable, "-m", "lorewright.cli", "convert", str(source), str(made), "--overwrite"], own) for _ in range(given.runs)
    ]
    train = process.tool_environment(envs.ensure("train"), {"HF_HUB_OFFLINE": "1"})
    peer = json.loads(measured([envs.locate("train").python, str(REPO / "benchmarks" / "nf4_peer.py"), str(source), str(made)], train)[2])
    shutil.rmtree(source)
    shutil.rmtree(made)
    write_report(values, given.layers, runs, peer)


def write_report(values: int, layers: int, runs: list[tuple[float, int, str]], peer: dict[str, object]) -> None:
    seconds, theirs = statistics.median(run[0] for run in runs), peer["seconds"]
    assert isinstance(theirs, dict)
    whole, peak = sum(theirs.values()), max(run[1] for run in runs)
    lines = [
        "# NF4: speed, memory, and the same bits", "",
        f"`python benchmarks/nf4_speed.py FOLDER --layers {layers} --runs {len(runs)}`", "",
        f"{os.cpu_count()} cores, Python {platform.python_version()}. {layers} of gpt-oss-20b's 24 layers: {values:,} random weights.",
        "GB are of the same weights in bf16. Ours is the whole command, from its start to the last byte on disk;",
        "theirs is only reading and computing, in a process that runs already. Our memory is that of the largest of three processes.",
        "Meant to be reached: 1 GB/s and 3 GB.", "",
        "| | seconds | GB/s | peak GB of memory |", "|---|---|---|---|",
        f"| `./lorewright convert` (median of {len(runs)}) | {seconds:.1f} | {2 * values / seconds / 1e9:.2f} | {peak / 1e9:.2f} |",
        f"| transformers, then bitsandbytes | {whole:.1f} | {2 * values / whole / 1e9:.3f} | {float(str(peer['peak'])) / 1e9:.2f} |",
        f"| of it bitsandbytes alone | {theirs['quantised']:.1f} | {2 * values / theirs['quantised'] / 1e9:.3f} | |", "",
        f"Runs: {', '.join(f'{run[0]:.1f} s' for run in runs)}. Bit-identical (codes, magnitudes, their magnitudes, maps, offset): "
        f"{peer['equal']:,} of {peer['values']:,} weights.", "",
    ]  # fmt: skip
    (REPO / "benchmarks" / "results" / "nf4_speed.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
