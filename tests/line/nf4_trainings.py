"""Runs in the train environment: loads what a test converted, and trains from it. Arguments: FOLDER EXAMPLES AXOLOTL_YAML…

FOLDER: a checkpoint in NF4. Prints a line of JSON: whether the experts in memory are those of its files, and by how many bytes the
process grew at most while they were read. Then trains each configuration in its own folder, and prints the first one's loss on the
examples as `lorewright infer` loads it, without the adapter and with it.
"""

import json
import os
import re
import sys
from glob import glob
from pathlib import Path

import infer
import torch
import yaml
from axolotl.cli.train import do_cli
from bitsandbytes.functional import QuantState, dequantize_4bit
from loaded_as_stored import install
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig


def peak() -> int:
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024


def load(folder: str) -> torch.nn.Module:
    """As Axolotl does on a card, whose type is bf16."""
    config = AutoConfig.from_pretrained(folder)
    quantised = BitsAndBytesConfig(**config.quantization_config)
    return AutoModelForCausalLM.from_pretrained(
        folder, config=config, quantization_config=quantised, dtype=torch.bfloat16, device_map="cpu"
    )


def of_files(folder: str) -> dict[str, torch.Tensor]:
    """The experts' weights, by bitsandbytes alone."""
    stored = {name: tensor for file in glob(f"{folder}/*.safetensors") for name, tensor in load_file(file).items()}
    names = [key.partition(".quant_state.")[0] for key in stored if ".experts." in key and ".quant_state." in key]
    states = {name: {key: value for key, value in stored.items() if key.startswith(f"{name}.")} for name in names}
    return {name: dequantize_4bit(stored[name], QuantState.from_dict(states[name], device="cpu")) for name in names}


def held(model: torch.nn.Module, module: str, name: str) -> torch.Tensor:
    return getattr(model.get_submodule(module), name)


def looked_at(folder: str) -> dict[str, object]:
    os.environ["HF_DEACTIVATE_ASYNC_LOAD"] = "1"  # as Axolotl sets it
    install()
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark from here on
    before = peak()
    model = load(folder)
    grown = peak() - before
    weights = of_files(folder)
    same = all(torch.equal(held(model, *name.rsplit(".", 1)), weight) for name, weight in weights.items())
    order = [list(module.parametrizations) for module in model.modules() if hasattr(module, "parametrizations")]
    return {"same": same, "experts": len(weights), "grown": grown, "order": order}


def heard(configuration: str, examples: str) -> dict[str, float]:
    base = yaml.safe_load(Path(configuration).read_text())["base_model"]
    asked = {
        "base_model": base,
        "revision": None,
        "template": None,
        "form": "text",
        "sampling": {},
        "four_bit": False,
        "trust_remote_code": False,
    }
    ids = torch.tensor([json.loads(line)["input_ids"] for line in Path(examples).read_text().splitlines()])
    found = {}
    for name, adapter in (("base", ""), ("adapter", str(Path(configuration).parent / "adapter"))):
        with torch.no_grad():
            found[name] = infer.load(asked | {"adapter": adapter}).model(input_ids=ids, labels=ids).loss.item()
    return {"heard": found}


def main(folder: str, examples: str, *configurations: str) -> None:
    print(json.dumps(looked_at(folder)), flush=True)
    for file in configurations:
        os.chdir(Path(file).parent)
        do_cli(config=file)
    print(json.dumps(heard(configurations[0], examples)), flush=True)


if __name__ == "__main__":  # the preparation of the examples starts processes
    main(*sys.argv[1:])
