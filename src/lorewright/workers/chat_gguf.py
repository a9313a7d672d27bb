"""Asks a GGUF file one question, in the export environment: python chat_gguf.py FILE ASKED.json ANSWER.json

ASKED: messages (asked with the file's own chat template) or text (to be gone on with), max_tokens, and context (tokens that both may take).
The likeliest token is taken each time. ANSWER: answer, tokens, and finish (stop for an end token, length for max_tokens).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TEMPLATE = "chat_template.default"  # the file's own, whatever llama-cpp-python takes it for


def main(file: str, asked: str, answer: str) -> None:
    import llama_cpp

    wanted = json.loads(Path(asked).read_text(encoding="utf-8"))
    limit = int(wanted["max_tokens"])
    has_template = wanted.get("messages") is not None
    model = llama_cpp.Llama(file, n_ctx=int(wanted["context"]), chat_format=TEMPLATE if has_template else None, seed=1, verbose=False)
    done: dict[str, Any] = (
        model.create_chat_completion(wanted["messages"], temperature=0.0, max_tokens=limit)
        if has_template
        else model.create_completion(wanted["text"], temperature=0.0, max_tokens=limit)
    )
    choice = done["choices"][0]
    said = choice["message"]["content"] if has_template else choice["text"]
    found = {"answer": said or "", "tokens": done["usage"]["completion_tokens"], "finish": choice["finish_reason"]}
    Path(answer).write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
