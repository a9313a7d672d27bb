"""The packages that the recipe needs besides what every training needs, and what they need of the machine."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lorewright import envs, extras
from lorewright.compiling import compiled
from lorewright.errors import LorewrightError
from lorewright.preflight.found import Found, bad, good, warn
from lorewright.preflight.wanted import Wanted
from lorewright.training.attention import FLASH, attention, installed, instead

NAME = "tools"
KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel", "lora_embedding_kernel")
# attn_implementation -> the package that has it
ATTENTION = {**FLASH, "xformers": "xformers", "sage": "sageattention"}
# package -> the extra of `./lorewright envs add` that has it
ADDABLE = {module.partition(".")[0]: name for name, (_, module, _) in extras.NAMES.items()}
PLUGINS = {"integrations.liger.": "liger_kernel", "integrations.cut_cross_entropy.": "cut_cross_entropy"}


def tools(wanted: Wanted) -> list[Found]:
    """Nothing is said of an environment that is not built yet, but of what will not be in it."""
    found = [*_packages(wanted)]
    if wanted.on_card and uses_triton(wanted.config):
        found += _compiler()
    if not wanted.on_card and wanted.config.get("quantize_moe_experts"):
        found.append(
            bad(NAME, "axolotl.quantize_moe_experts wants a card, and this machine has none", "leave it out, or use a machine with a card")
        )
    return [*found, *_export(wanted)]


def _export(wanted: Wanted) -> Iterator[Found]:
    """What would only be seen after the training, when llama.cpp is to be compiled."""
    if wanted.recipe.export and not envs.locate("export").ready:
        try:
            compiled("export", envs.REQUIREMENTS)
        except LorewrightError as problem:
            yield warn(NAME, f"the export will fail: {problem.what}", problem.remedy)


def _packages(wanted: Wanted) -> Iterator[Found]:
    env = envs.locate("train")
    needed = set(needs(wanted))
    if next(env.path.glob("lib/python*/site-packages"), None):
        present = {package for package in needed if installed(package)}
    else:
        pinned = "\n".join(file.read_text(encoding="utf-8") for file in envs.requirement_files("train")).replace("-", "_")
        present = {package for package in needed if f"\n{package}==" in f"\n{pinned}"}
    asked = attention(wanted.config)
    if ATTENTION.get(asked) in needed - present:
        yield _no_attention(wanted, asked, ATTENTION[asked])
    for package in sorted(needed - present - {ATTENTION.get(asked)}):
        how = f"remove {env.path} and build it again: ./lorewright envs build train" if package in PINNED else "leave it out of axolotl:"
        yield bad(NAME, f"the train environment has no {package}, which {_why(package)} needs", how)
    if present:
        yield good(NAME, ", ".join(sorted(present)))


PINNED = ("bitsandbytes", "triton", "liger_kernel")


def needs(wanted: Wanted) -> Iterator[str]:
    """The packages that the recipe's keys mean, by the name of their folder."""
    config = wanted.config
    optimizer = str(config.get("optimizer") or "")
    if config.get("load_in_4bit") or config.get("load_in_8bit") or ("8bit" in optimizer and not optimizer.startswith("ao_")):
        yield "bitsandbytes"
    if wanted.on_card:
        yield from ("triton",) if uses_triton(config) else ()
        yield from (ATTENTION[name] for name in [attention(config)] if name in ATTENTION)
        yield from (package for part, package in PLUGINS.items() if any(part in str(plugin) for plugin in config.get("plugins") or ()))


def _why(package: str) -> str:
    keys = {"bitsandbytes": "load_in_4bit, load_in_8bit or an 8-bit optimizer", "triton": "compiled kernels"}
    return keys.get(package, "axolotl.plugins")


def uses_triton(config: Mapping[str, Any]) -> bool:
    """Axolotl takes its LoRA kernels by itself, where the recipe does not say otherwise and the model is not in 8 bit."""
    plugins = " ".join(map(str, config.get("plugins") or ()))
    said = [config.get(key) for key in KERNELS]
    by_itself = all(value is None for value in said) and not (config.get("load_in_8bit") or config.get("trust_remote_code"))
    kernels = bool(config.get("adapter")) and (any(said) or by_itself)
    compiled = attention(config) == "flex_attention" or bool(config.get("torch_compile"))
    return kernels or compiled or any(part in plugins for part in PLUGINS)


def _compiler() -> list[Found]:
    """Triton compiles a small starter in C for each kernel, at the first step (triton/runtime/build.py)."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if not compiler or not shutil.which(compiler):
        return [
            bad(
                "compiler",
                "Triton's kernels want a C compiler, and there is no gcc or clang",
                "install gcc (Debian, Ubuntu: apt install gcc)",
            )
        ]
    if not header.is_file():
        remedy = "install Python's headers (Debian, Ubuntu: apt install python3-dev)"
        return [bad("compiler", f"Triton's kernels want Python's headers, and there is no {header}", remedy)]
    return [good("compiler", compiler)]


def _no_attention(wanted: Wanted, asked: str, package: str) -> Found:
    """A training falls back from FlashAttention by itself."""
    if asked in FLASH:
        remedy = f"./lorewright envs add {ADDABLE[package]}" if package in ADDABLE else f"install {package} into the train environment"
        return warn("attention", f"the train environment has no {package}; {instead(wanted.config)} is taken instead", remedy)
    said = f"attn_implementation {asked} wants {package}, which the train environment does not have"
    return bad("attention", said, "axolotl.attn_implementation: sdpa, or flex_attention where samples are packed")
