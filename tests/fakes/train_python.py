"""Stands for the train environment's python running the ledger: words for tokens, the assistant's text trained."""

import json
import os
import re
import sys
from pathlib import Path


def main() -> None:
    worker, config, samples, facts = sys.argv[1:]
    assert Path(worker).name == "ledger.py", worker
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
