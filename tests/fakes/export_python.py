"""Stands for the export environment's python: llama.cpp's converter, and the workers that quantise, describe and ask a GGUF file."""

import json
import os
import re
import sys
from pathlib import Path


def main() -> None:
    script, *words = sys.argv[1:]
    name = Path(script).name
    with open(os.environ["FAKE_CALLS"], "a") as calls:
        calls.write(json.dumps({"argv": [name, *words]}) + "\n")
    {"convert_hf_to_gguf.py": convert, "quantise_gguf.py": quantise, "describe_gguf.py": describe, "chat_gguf.py": chat}[name](words)


def convert(words: list) -> None:
    if os.environ.get("FAKE_CONVERTER") == "new tokenizer":
        sys.exit("NotImplementedError: BPE pre-tokenizer was not recognized - update get_vocab_base_pre()")
    model, settings = Path(words[0]), {}
    for name in ("tokenizer_config.json", "chat_template.jinja"):
        if (model / name).exists():
            text = (model / name).read_text()
            settings |= json.loads(text) if name.endswith("json") else {"chat_template": text}
    told = {
        "template": settings.get("chat_template", ""),
        "bos": settings.get("bos_token", ""),
        "add_bos": settings.get("add_bos_token", True),
    }
    print("Writing:  50%|##   |\rWriting: 100%|#####|", flush=True)
    out = Path(words[words.index("--outfile") + 1])
    out.write_text(json.dumps(told | {"architecture": "llama", "context": 64, "eos": "", "type": words[words.index("--outtype") + 1]}))


def quantise(words: list) -> None:
    source, target, number = words
    Path(target).write_text("half")
    if os.environ.get("FAKE_QUANTISER") == number:
        sys.exit("ERROR: this quantization requires an importance matrix!")
    print("[   1/   2] a\n[   2/   2] b", flush=True)
    Path(target).write_text(json.dumps(json.loads(Path(source).read_text()) | {"type": int(number)}))


def describe(words: list) -> None:
    Path(words[1]).write_text(Path(words[0]).read_text())


def chat(words: list) -> None:
    file, asked, answer = (Path(word) for word in words)
    question = json.loads(asked.read_text())
    said = f"{json.loads(file.read_text())['type']} hears: {question['messages'][-1]['content'] if 'messages' in question else question['text']}"
    silent = bool(re.search(os.environ.get("FAKE_SILENT", "^$"), file.name))
    answer.write_text(json.dumps({"answer": "" if silent else said, "tokens": 0 if silent else 5, "finish": "stop"}))


main()
