"""What a GGUF file says of itself, in the export environment: python describe_gguf.py FILE ABOUT.json

Only its head and its vocabulary are read. ABOUT: architecture, context, template, bos and eos (as text), ends (ids at which an
engine stops), add_bos (whether an engine puts bos before every text by itself).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(file: str, about: str) -> None:
    import llama_cpp

    model = llama_cpp.Llama(file, vocab_only=True, verbose=False)
    told, vocab = model.metadata, llama_cpp.llama_model_get_vocab(model.model)
    bos, eos = model.token_bos(), model.token_eos()
    kind = told.get("general.architecture", "")
    found = {
        "architecture": kind, "context": int(told.get(f"{kind}.context_length", 0)), "template": told.get("tokenizer.chat_template", ""),
        "bos": model._model.token_get_text(bos) if bos != -1 else "", "eos": model._model.token_get_text(eos) if eos != -1 else "",
        "ends": [token for token in range(model.n_vocab()) if llama_cpp.llama_vocab_is_eog(vocab, token)],
        "add_bos": bool(llama_cpp.llama_vocab_get_add_bos(vocab)),
    }  # fmt: skip
    Path(about).write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
