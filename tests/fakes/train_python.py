"""Stands for the train environment's python. The ledger: words for tokens, the assistant's text trained.

Parity: a distribution for each position, made of its tokens; FAKE_PARITY is `off` for a merged model that has another one,
`fail` for one that cannot be loaded.
"""

import json
import math
import os
import random
import re
import sys
from pathlib import Path


def main() -> None:
    worker = Path(sys.argv[1]).name
    {"ledger.py": ledger, "parity_transformers.py": parity}[worker](*sys.argv[2:])


def parity(request: str) -> None:
    settings = json.loads(Path(request).read_text())
    asked = [json.loads(line) for line in Path(settings["asked"]).read_text().splitlines()]
    for model in settings["models"]:
        print("parity: " + json.dumps({"at": model["name"]}), flush=True)
        broken = os.environ.get("FAKE_PARITY", "") if model["name"] == "merged" else ""
        if broken == "fail":
            sys.exit("safetensors_rust.SafetensorError: Error while deserializing header")
        for file, change in ((model["observed"], "off" if broken else "as trained"), (model["base"], "base")):
            if file:
                Path(file).write_text("".join(json.dumps(observed(question, change)) + "\n" for question in asked))


def observed(question: dict, change: str) -> dict:
    positions = []
    for at in range(len(question["answer_ids"]) + 1):
        same, own = random.Random(f"{question['id']} {at}"), random.Random(f"{question['id']} {at} {change}")
        logits = [same.gauss(0, 2) + own.gauss(0, 0.5) for _ in range(20)]
        whole = math.log(sum(map(math.exp, logits)))
        order = sorted(range(20), key=lambda token: -logits[token])
        positions.append({"ids": order, "logprobs": [logits[token] - whole for token in order]})
    return {"id": question["id"], "prompt_ids": [1, 2, 3], "positions": positions}


def ledger(config: str, samples: str, facts: str) -> None:
    with open(os.environ["FAKE_CALLS"], "a") as calls:
        calls.write(json.dumps({"argv": ["ledger", config], "cwd": os.getcwd()}) + "\n")
    files = re.findall(r"path: (\S+\.jsonl)", Path(config).read_text())
    lines = []
    for split, file in zip(("training", "validation"), sorted(files), strict=False):
        for number, line in enumerate(Path(file).read_text(encoding="utf-8").splitlines(), 1):
            lines.append({"split": split} | sample(number, json.loads(line)))
    Path(samples).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    Path(facts).write_text(
        json.dumps({"opening": "<assistant>", "refused": "", "parameters": 1e6, "flops": 1e10, "gpu": False, "devices": 1})
    )


def sample(number: int, row: dict) -> dict:
    if "messages" in row:
        spans = [[turn["role"] == "assistant", f"<{turn['role']}>{turn['content']}"] for turn in row["messages"]]
    else:
        spans = [[bool(part["label"]), part["text"]] for part in row.get("segments", [{"label": True, "text": row.get("text", "")}])]
    trained = sum(len(text.split()) for is_trained, text in spans if is_trained)
    tokens = sum(len(text.split()) for _, text in spans)
    return {
        "line": number, "document": row.get("document", ""), "tokens": tokens, "length": tokens, "trained": trained, "fate": "kept",
        "spans": spans, "fault": "",
    }  # fmt: skip


main()
