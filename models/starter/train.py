#!/usr/bin/env python3
"""Makes the starter model from a folder of books, in phases; each leaves its result in the work folder and is skipped if it is there.

    python models/starter/train.py --books FOLDER                        everything; minutes on one GPU
    python models/starter/train.py --books FOLDER --phases tokenizer,prose,chats     what needs no GPU, on another machine
    python models/starter/train.py --books FOLDER --again mix            the last phase once more, from the kept weights

Phases: tokenizer (SentencePiece, checked on every paragraph), prose (the books as tokens, with copies in which names are exchanged),
chats (instruction data made from the books), pretrain (prose alone), mix (prose and chats, falling rate), finish (bf16 weights and all
that belongs to the model). Needs torch >= 2.9, transformers, tokenizers, sentencepiece, numpy, and no network.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from making import phases
from making.loop import log

HERE = Path(__file__).resolve().parent
PHASES = {
    "tokenizer": phases.tokenizer, "prose": phases.prose, "chats": phases.chats, "pretrain": phases.pretrain, "mix": phases.mix,
    "finish": phases.finish,
}  # fmt: skip


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    read = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    read.add_argument("--books", type=Path, required=True, help="folder with the books as *.txt, one file a work")
    read.add_argument("--work", type=Path, default=HERE.parents[1] / "runs" / "starter-model", help="where the phases keep their results")
    read.add_argument("--output", type=Path, default=HERE, help="where the finished model goes")
    read.add_argument("--phases", default=",".join(PHASES), help="which, with commas: %(default)s")
    read.add_argument("--again", default="", help="phases to do although their results are there")
    read.add_argument("--pretrain-steps", type=int, default=500)
    read.add_argument("--steps", type=int, default=2600, help="of the mix")
    read.add_argument("--minutes", type=float, default=0, help="upper bound for each of pretrain and mix (the rate falls in time); 0: none")
    read.add_argument("--tokens", type=int, default=131_072, help="per step")
    read.add_argument("--rate", type=float, default=2e-3)
    read.add_argument("--weight-decay", type=float, default=0.3)
    read.add_argument("--optimizer", choices=("muon", "adamw"), default="muon")
    read.add_argument("--chat-share", type=float, default=0.9, help="of the rows of the mix")
    read.add_argument("--chat-count", type=int, default=600_000)
    read.add_argument("--copies", type=int, default=5, help="of the prose with other names")
    read.add_argument("--pieces", type=int, default=8192, help="of the tokenizer")
    read.add_argument("--layers", type=int, default=7)
    read.add_argument("--intermediate", type=int, default=768, help="width of the feed-forward layers")
    read.add_argument("--tiny", action="store_true", help="a model of two narrow layers, for tests")
    read.add_argument("--compile", choices=("auto", "no"), default="auto", help="torch.compile on a GPU, eager if that fails")
    read.add_argument("--every", type=int, default=500, help="steps between measurements")
    read.add_argument("--processes", type=int, default=max(1, (os.cpu_count() or 2) - 2))
    read.add_argument("--seed", type=int, default=20)
    return read.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    told = arguments(argv)
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
    wanted, again = told.phases.split(","), set(filter(None, told.again.split(",")))
    if unknown := (set(wanted) | again) - set(PHASES):
        raise SystemExit(f"no such phase: {', '.join(sorted(unknown))}; there are {', '.join(PHASES)}")
    told.work.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        done = told.work / f"{name}.done"
        if done.exists() and name not in again:
            log(f"{name}: done before ({done.read_text(encoding='utf-8').strip()})")
            continue
        log(f"{name}: begins")
        said = PHASES[name](told)
        done.write_text(said + "\n", encoding="utf-8")
        log(f"{name}: {said}")


if __name__ == "__main__":
    main()
