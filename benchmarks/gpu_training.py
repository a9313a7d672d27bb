#!/usr/bin/env python3
"""Measures training on one card: memory and tokens a second of the recipes as shipped, with random weights of the true shape.

    python benchmarks/gpu_training.py [CASE …] [--set "KEY=VALUE …"] [--list] [--folder FOLDER] [--write FILE.json] [--tiny]

Every case is a recipe of configs/ with its own Axolotl keys; `plain` ones leave the fused kernels out, for the ratio in the same run.
Axolotl itself trains, from the configuration that the product would write. The first steps (compilation, warm-up) are not counted.
--tiny: the same on a model of a few thousand parameters, to see that it runs. Needs the train environment (LOREWRIGHT_TRAIN_PYTHON, or the
one that `./lorewright envs build train` makes). Ends with 1 if a figure is missed or a case fails.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "src"))

from training_cases import CASES, SHAPES, Case, small  # noqa: E402
from training_table import HEAD, row, table  # noqa: E402

from lorewright import envs  # noqa: E402
from lorewright.recipe import Recipe, load, split_revision  # noqa: E402
from lorewright.training.forecast.shape import shape_of  # noqa: E402
from lorewright.training.plugins import with_plugins  # noqa: E402
from lorewright.training.render import axolotl_config  # noqa: E402

PRODUCT = """
import time, torch
if not torch.cuda.is_available():
    print(0); raise SystemExit
a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16); best = 1e9
for _ in range(20):
    torch.cuda.synchronize(); begun = time.perf_counter(); a @ a; torch.cuda.synchronize()
    best = min(best, time.perf_counter() - begun)
print(2 * 8192**3 / best / 1e12)
"""
WARM = 3  # steps before the clock starts: kernels are compiled in the first
# A trainer that is started before its turn: what it imports takes as long as twenty steps, and holds nothing on the card.
AHEAD = """
import sys
import axolotl.cli.main, axolotl.cli.train, axolotl.core.builders, axolotl.loaders, axolotl.train, bitsandbytes, peft, transformers, trl
sys.argv = ["axolotl", "train", sys.stdin.readline().strip(), "--launcher", "python"]
axolotl.cli.main.main()
"""
PLACES = ("base_model", "datasets", "test_datasets", "output_dir", "dataset_prepared_path")  # they name folders of this machine
METRICS = re.compile(r"\{'(?:eval_)?loss':[^{}]*\}")


Logged = Sequence[tuple[float, dict[str, Any]]]


class Card:
    """A card's memory in use and power, looked at ten times a second while a case runs; nothing where there is none.

    It is the first of CUDA_VISIBLE_DEVICES, which nvidia-smi does not heed.
    """

    QUERY = ("nvidia-smi", "--query-gpu=memory.used,power.draw", "--format=csv,noheader,nounits", "-lms", "100")

    def __init__(self) -> None:
        self.before: float | None = None
        self.most = 0.0
        self.watts: list[tuple[float, float]] = []
        self._tool: subprocess.Popen[str] | None = None

    def __enter__(self) -> Card:
        if shutil.which("nvidia-smi"):
            self._tool = subprocess.Popen([*self.QUERY, "-i", first_card()], stdout=subprocess.PIPE, text=True)
            threading.Thread(target=self._read, daemon=True).start()
        return self

    def _read(self) -> None:
        assert self._tool and self._tool.stdout
        for line in self._tool.stdout:
            try:
                mib, watts = (float(word) for word in line.split(","))
            except ValueError:
                continue
            self.before = mib if self.before is None else self.before
            self.most = max(self.most, mib)
            self.watts.append((time.monotonic(), watts))

    def __exit__(self, *_: object) -> None:
        if self._tool:
            self._tool.terminate()
            self._tool.wait()

    @property
    def gib(self) -> float | None:
        """What the case added to the card at its peak, the CUDA context in it, in GiB."""
        return (self.most - (self.before or 0)) / 1024 if self._tool else None


def first_card() -> str:
    """Number of the first card that programs started here see."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0]


def config_of(name: str, case: Case, recipe: Recipe, folder: Path, *, tiny: bool) -> dict[str, Any]:
    """Axolotl's configuration of a case, as the product renders it, with examples that are already tokens."""
    accelerator = "cuda" if shutil.which("nvidia-smi") else "cpu"
    config, _ = axolotl_config(recipe, training="data.jsonl", validation=None, accelerator=accelerator)
    config |= {key: value for key, value in case.change.items() if value is not None}
    for key in [key for key, value in case.change.items() if value is None]:
        config.pop(key, None)
    if tiny:
        config.pop("quantize_moe_experts", None)
        config["sequence_len"] = min(config["sequence_len"], 128)
        config["micro_batch_size"] = min(config["micro_batch_size"], 2)
    for key in ("saves_per_epoch", "save_total_limit", "warmup_ratio", "num_epochs", "auto_resume_from_checkpoints"):
        config.pop(key, None)
    examples = str(folder / f"examples-{config['sequence_len']}.jsonl")
    places = {"base_model": folder / "model", "output_dir": folder / "out" / name, "dataset_prepared_path": folder / "prepared" / name}
    length = {"max_steps": 5 if tiny else WARM + case.steps, "num_epochs": 1, "warmup_steps": 2}
    rows = {"path": examples, "ds_type": "json", "type": None}
    data = {"datasets": [rows], "test_datasets": [rows | {"split": "train[:8]"}]}
    once = {"eval_batch_size": config.get("eval_batch_size") or config["micro_batch_size"], "eval_steps": length["max_steps"]}
    folder.mkdir(parents=True, exist_ok=True)
    config |= {key: str(place) for key, place in places.items()} | length | data | once
    return with_plugins(config | {"logging_steps": 1, "save_strategy": "no"}, folder)


def run_case(name: str, case: Case, root: Path, python: Path, *, tiny: bool, look: bool, more: bool = False) -> dict[str, Any]:
    """One case, measured. Raises subprocess.CalledProcessError or ValueError where it fails."""
    recipe = load(REPO / "configs" / f"{case.recipe}.yaml")
    model = case.model or split_revision(recipe.base_model)[0]
    shape = small(SHAPES[model]) if tiny else SHAPES[model]
    folder = root / model.replace("/", "--")
    config = config_of(name, case, recipe, folder, tiny=tiny)
    a_step = config["micro_batch_size"] * config["gradient_accumulation_steps"]
    folder.mkdir(parents=True, exist_ok=True)
    maker = [str(python), str(REPO / "benchmarks" / "random_model.py"), str(folder), json.dumps(shape)]
    subprocess.run([*maker, str(config["sequence_len"]), str(a_step * config["max_steps"])], check=True)
    if look:
        config["plugins"] = [*config.get("plugins", []), "training_profile.Profile"]
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    with Card() as card:
        logged, evaluated = train(python, file, folder / f"{name}.log", more=more)
    warm = 2 if tiny else WARM
    if len(logged) != config["max_steps"] or not evaluated:
        raise ValueError(f"{name}: {len(logged)} of {config['max_steps']} steps logged; see {folder / name}.log")
    shutil.rmtree(folder / "out" / name, ignore_errors=True)
    keys = {key: value for key, value in config.items() if key not in PLACES}
    told = {"case": name, "model": model, "shape": shape, "axolotl": keys, "versions": versions(python)}
    return (
        told
        | {key: value for key, value in asdict(case).items() if key != "model"}
        | figures(config, shape, logged, warm, card)
        | {"peak_evaluating_gib": float(evaluated[-1].get("memory/device_reserved (GiB)", 0))}
    )


waiting: list[subprocess.Popen[str]] = []  # at most one


def _started(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> subprocess.Popen[str]:
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, env=environment, cwd=folder, text=True, **piped)


def train(python: Path, file: Path, log: Path, cards: int = 1, *, more: bool = False) -> tuple[Logged, list[dict[str, Any]]]:
    """(time of its end, what was logged) of every step, and what was logged of the evaluations.

    cards: with several, torchrun starts a process for each. more: another training follows.
    """
    paths = {
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{file.parent}:{REPO / 'benchmarks'}:{os.environ.get('PYTHONPATH', '')}",
    }
    environment = os.environ | paths | {"AXOLOTL_DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    logged: list[tuple[float, dict[str, Any]]] = []
    with open(log, "w", encoding="utf-8") as kept:
        if cards > 1:
            environment |= {} if shutil.which("nvidia-smi") else {"ACCELERATE_USE_CPU": "true"}
            command = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(cards), "-m", "axolotl.cli.train", str(file)]
            tool = _started([str(python), *command], environment, file.parent)
        else:
            environment |= {"CUDA_VISIBLE_DEVICES": first_card()}  # of several cards the trainer would take all, in one process
            tool = waiting.pop() if waiting else _started([str(python), "-c", AHEAD], environment, file.parent)
            assert tool.stdin
            tool.stdin.write(f"{file}\n")
            tool.stdin.close()
        assert tool.stdout
        for line in tool.stdout:
            kept.write(line)
            if found := METRICS.search(line):
                logged.append((time.monotonic(), ast.literal_eval(found[0])))
                if more and len(logged) == 1:
                    waiting.append(_started([str(python), "-c", AHEAD], environment, file.parent))
    if tool.wait():
        raise subprocess.CalledProcessError(tool.returncode, f"training of {file}", log.read_text(encoding="utf-8")[-3000:])
    return [one for one in logged if "loss" in one[1]], [point for _, point in logged if "eval_loss" in point]


def figures(config: Mapping[str, Any], shape: Mapping[str, Any], logged: Logged, warm: int, card: Card) -> dict[str, Any]:
    """What one case came to. Tokens are of whole examples: nothing is padded."""
    tokens = config["micro_batch_size"] * config["gradient_accumulation_steps"] * config["sequence_len"]
    times = [at for at, _ in logged]
    seconds = [later - earlier for earlier, later in zip(times[warm - 1 :], times[warm:], strict=False)]
    rate = tokens * len(seconds) / sum(seconds)
    watts = [watt for at, watt in card.watts if times[warm - 1] <= at <= times[-1]]
    return {
        "steps": len(seconds),
        "tokens_per_step": tokens,
        "tokens_per_second": round(rate, 1),
        "step_seconds": {"median": statistics.median(seconds), "least": min(seconds), "most": max(seconds)},
        "peak_allocated_gib": _most(logged, "memory/max_allocated (GiB)"),
        "peak_reserved_gib": _most(logged, "memory/device_reserved (GiB)"),
        "peak_card_gib": card.gib,
        "watts": round(statistics.mean(watts)) if watts else None,
        "model_tflops": round(2 * forward_operations(shape, config["sequence_len"]) * rate / 1e12, 1),
        "last_loss": float(logged[-1][1]["loss"]),
    }


def _most(logged: Logged, key: str) -> float:
    return max(float(point.get(key, 0)) for _, point in logged)


def forward_operations(shape: Mapping[str, Any], length: int) -> int:
    """Of one token in examples of this length: two for each number of the model that it is multiplied with (of
    experts those that it is sent to). A training with a frozen base does it twice: forward, and backward to the inputs."""
    found = shape_of(shape, "the case's shape")
    attention = 2 * found.layers * found.queries * length  # half of it is masked
    return 2 * (found.working + found.embedding) + attention


def versions(python: Path) -> str:
    names = ("axolotl", "torch", "transformers", "peft", "bitsandbytes")
    code = f"from importlib.metadata import version as v; print(', '.join(f'{{n}} {{v(n)}}' for n in {names}))"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def product_tflops(python: Path) -> float:
    """What the card reaches in a product of 8,192 in bf16, in TFLOP/s: what the share of it is counted from. 0 without a card."""
    done = subprocess.run([str(python), "-c", PRODUCT], capture_output=True, text=True, check=True)
    return float(done.stdout)


def machine() -> str:
    if not shutil.which("nvidia-smi"):
        return f"{os.cpu_count()} processors, no card"
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def forecast_row(found: Mapping[str, Any]) -> dict[str, Any]:
    """A case as forecast_table.py reads it."""
    keys = ("axolotl", "tokens_per_second", "held_out")
    peak = {"peak_bytes": round(found["peak_allocated_gib"] * 2**30), "phases": ["training", "loss"]}
    return {"name": found["case"], "model": found["shape"]} | peak | {key: found[key] for key in keys}


def chosen(names: Sequence[str], variants: Sequence[str], *, tiny: bool, steps: int | None = None) -> dict[str, Case]:
    """The cases to run, by name. variants: `key=value …`, tried in every case, part of its name; they and a tiny model have no goals."""
    cases = {}
    for name in names or CASES:
        for variant in variants or [""]:
            tried = {key: yaml.safe_load(value) for key, _, value in (word.partition("=") for word in variant.split())}
            case = replace(CASES[name], change={**CASES[name].change, **tried}, steps=steps or CASES[name].steps)
            cases[f"{name} {variant}".rstrip()] = replace(case, most_gib=None, least_rate=None) if tiny or variant else case
    return cases


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures training with random weights of a known shape.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="default: all")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--folder", type=Path, help="where models are made and kept (default: a temporary folder)")
    parser.add_argument("--write", type=Path, help="the figures as JSON; cases of earlier runs in it are kept")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE …", help="Axolotl keys to try; once for each variant")
    parser.add_argument("--steps", type=int, help="after those of the warm-up, instead of the case's own")
    parser.add_argument("--profile", action="store_true", help="print kernels and their times into each case's log (slows it down)")
    parser.add_argument("--forecast", type=Path, help="all cases of --write once more, as forecast_table.py reads them")
    parser.add_argument("--table", type=Path, metavar="FILE.json", help="what was written, as Markdown; measures nothing")
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    if given.table:
        print(table(json.loads(given.table.read_text(encoding="utf-8"))))
        return 0
    if given.list:
        print("\n".join(f"{name}: {case.recipe} {dict(case.change)}" for name, case in CASES.items()))
        return 0
    if wrong := [name for name in given.cases if name not in CASES]:
        parser.error(f"no case {', '.join(wrong)}; --list names them")
    named = os.environ.get("LOREWRIGHT_TRAIN_PYTHON")
    python = Path(named) if named else envs.ensure("train").path / "bin" / "python"
    kept = json.loads(given.write.read_text(encoding="utf-8")) if given.write and given.write.exists() else {}
    speed = product_tflops(python)
    print(f"{machine()}, {speed:.0f} TFLOP/s in a product of 8,192\n\n{HEAD}", flush=True)
    bad = False
    with tempfile.TemporaryDirectory() as temporary:
        root = (given.folder or Path(temporary)).absolute()
        cases = chosen(given.cases, given.set, tiny=given.tiny, steps=given.steps)
        for number, (name, case) in enumerate(cases.items(), start=1):
            try:
                found = run_case(name, case, root, python, tiny=given.tiny, look=given.profile, more=number < len(cases))
            except (subprocess.CalledProcessError, ValueError) as problem:
                print(f"{name} failed: {problem}\n{getattr(problem, 'output', '') or ''}", flush=True)
                bad = True
                continue
            found |= {"machine": machine(), "product_tflops": speed, "date": time.strftime("%Y-%m-%d", time.gmtime())}
            kept[name] = found
            line = row(found)
            bad |= "MISSED" in line
            print(line, flush=True)
            if given.write:
                given.write.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    if given.forecast:
        told = {"gpu": machine().partition(",")[0], "date": time.strftime("%Y-%m-%d", time.gmtime()), "versions": versions(python)}
        rows = {"about": "gpu_training.py", "configurations": [forecast_row(found) for found in kept.values()]}
        given.forecast.write_text(json.dumps(told | rows, indent=1), encoding="utf-8")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
