"""Runs in the train environment: a checkpoint by transformers and bitsandbytes, and whether every bit is the same.

    python benchmarks/nf4_peer.py MXFP4_FOLDER NF4_FOLDER

Prints one line of JSON.
"""

import json
import resource
import sys
import time
from pathlib import Path

import torch
from bitsandbytes import functional
from safetensors import safe_open
from transformers.integrations.mxfp4 import convert_moe_packed_tensors


def main(source: str, made: str) -> None:
    seconds, values, equal = {"dequantised": 0.0, "quantised": 0.0}, 0, 0
    with safe_open(Path(source) / "model.safetensors", "pt") as given, safe_open(next(Path(made).glob("*.safetensors")), "pt") as ours:
        for name in sorted(key.removesuffix("_blocks") for key in given.keys() if key.endswith("_blocks")):  # noqa: SIM118
            begun = time.perf_counter()
            plain = convert_moe_packed_tensors(given.get_tensor(f"{name}_blocks"), given.get_tensor(f"{name}_scales")).cpu()
            middle = time.perf_counter()
            codes, state = functional.quantize_4bit(plain, blocksize=64, compress_statistics=True, quant_type="nf4")
            seconds["dequantised"] += middle - begun
            seconds["quantised"] += time.perf_counter() - middle
            values += plain.numel()
            if same(name, codes, one_thread(state, plain), ours):
                equal += plain.numel()
            del plain, codes, state
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"values": values, "equal": equal, "peak": peak, "seconds": seconds, "threads": torch.get_num_threads()}))


def one_thread(state: functional.QuantState, plain: torch.Tensor) -> functional.QuantState:
    """More threads add the mean up in another order, and its last bit can differ: the statistics once more on one."""
    threads = torch.get_num_threads()
    magnitudes = torch.cat([part.reshape(-1, 64).abs().amax(dim=1).float() for part in plain])
    torch.set_num_threads(1)
    state.offset = magnitudes.mean()
    state.absmax, state.state2 = functional.quantize_blockwise(magnitudes - state.offset, blocksize=256)
    torch.set_num_threads(threads)
    return state


def same(name: str, codes: torch.Tensor, state: functional.QuantState, ours: safe_open) -> bool:
    found = state.as_dict(packed=True) | {"": codes}
    return all(torch.equal(value, ours.get_tensor(f"{name}.{key}".rstrip("."))) for key, value in found.items())


main(*sys.argv[1:])
