"""What Axolotl makes of a training set: its own preprocessing, each example's tokens and labels as JSON lines.

Runs in the train environment: python axolotl_examples.py axolotl.yaml OUT.jsonl
Each line: split ("train" or "validation"), input_ids, labels (-100 where masked). Nothing is trained, no weights are read.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def main(config: str, out: str) -> None:
    os.environ["AXOLOTL_IS_PREPROCESS"] = "1"
    from axolotl.cli.config import load_cfg
    from axolotl.common.datasets import load_datasets

    cfg = load_cfg(config, is_preprocess=True)
    cfg.is_preprocess = True  # never from a cache
    made = load_datasets(cfg=cfg)
    target = Path(out)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    with open(beside, "w", encoding="utf-8") as file:
        for name, dataset in (("train", made.train_dataset), ("validation", made.eval_dataset)):
            file.writelines(json.dumps({"split": name, **row}) + "\n" for row in _rows(dataset))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(target)


def _rows(dataset: Any) -> Iterator[dict[str, Any]]:
    for row in dataset or ():
        yield {"input_ids": list(map(int, row["input_ids"])), "labels": list(map(int, row["labels"]))}


if __name__ == "__main__":
    main(*sys.argv[1:3])
