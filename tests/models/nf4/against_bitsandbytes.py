"""Runs in the train environment: quantises with the real bitsandbytes what a test made. Arguments: CASES.npz OUT.npz

A case is NAME.blocks and NAME.scales (MXFP4, dequantised by transformers), or NAME.bf16 (the bits of a tensor).
"""

import sys

import numpy as np
import torch
from bitsandbytes import functional
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

torch.set_num_threads(1)  # more threads add the mean up in another order


def tensor(cases: "np.lib.npyio.NpzFile", name: str) -> torch.Tensor:
    if f"{name}.bf16" in cases:
        return torch.from_numpy(cases[f"{name}.bf16"].view(np.int16)).view(torch.bfloat16)
    return convert_moe_packed_tensors(torch.from_numpy(cases[f"{name}.blocks"]), torch.from_numpy(cases[f"{name}.scales"])).cpu()


def main(cases_file: str, out: str) -> None:
    cases, found = np.load(cases_file), {}
    for name in {key.rpartition(".")[0] for key in cases}:
        codes, state = functional.quantize_4bit(tensor(cases, name), blocksize=64, compress_statistics=True, quant_type="nf4")
        found[f"{name}.codes"] = codes.numpy()
        for key, value in state.as_dict(packed=True).items():
            found[f"{name}.{key}"] = value.numpy()
    np.savez(out, **found)


main(*sys.argv[1:])
