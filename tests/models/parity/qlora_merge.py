"""Runs in the train environment: merges the adapter as Axolotl does for QLoRA, without our plugin and with it, then asks all models.

python qlora_merge.py BASE ADAPTER WITHOUT WITH REQUEST.json, with our workers on PYTHONPATH
"""

import sys
from pathlib import Path

import merge_as_trained
import parity_transformers
from axolotl.cli.utils.lora_merge import merge_lora_sharded_efficient

base, adapter, without, with_it, request = sys.argv[1:]
merge_lora_sharded_efficient(base, adapter, Path(without), device="cpu", simulate_nf4=True)
for _ in range(2):
    merge_as_trained.AsTrained().register(None)
merge_lora_sharded_efficient(base, adapter, Path(with_it), device="cpu", simulate_nf4=True)
parity_transformers.main(request)
