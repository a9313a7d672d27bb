"""What a GGUF file finds likely, in the export environment, to be compared with what other engines find.

    python parity_gguf.py --model FILE.gguf --asked asked.jsonl --observed observed.jsonl

A line of asked: id, messages (rendered with the file's own chat template, ready for an answer) or text, answer_ids, top, and where
there are some, settings of the template.
A line of observed: id, prompt_ids, and positions, one more than answer_ids: ids and logprobs (natural logarithm) of the `top` likeliest
next tokens after prompt_ids and so many of answer_ids.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BATCH = 512  # tokens that llama.cpp is given at a time


def main() -> None:
    given = _arguments()
    questions = [json.loads(line) for line in given.asked.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not questions:
        given.observed.write_text("", encoding="utf-8")
        return
    tokens = _Tokens(str(given.model))
    prompts = [tokens.of(question) for question in questions]
    longest = max(len(prompt) + len(question["answer_ids"]) for prompt, question in zip(prompts, questions, strict=True))
    model = _open(str(given.model), n_ctx=longest + 8, n_batch=BATCH, n_ubatch=BATCH)
    with open(given.observed, "w", encoding="utf-8") as out:
        for number, (prompt, question) in enumerate(zip(prompts, questions, strict=True), 1):
            rows = _logits(model, [*prompt, *question["answer_ids"]], len(question["answer_ids"]) + 1)
            positions = [_likeliest(row, int(question["top"])) for row in rows]
            out.write(json.dumps({"id": question["id"], "prompt_ids": prompt, "positions": positions}) + "\n")
            print(f"observed {number}/{len(questions)}", flush=True)
        out.flush()
        os.fsync(out.fileno())


def _arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser()
    for name in ("model", "asked", "observed"):
        words.add_argument(f"--{name}", type=Path, required=True)
    return words.parse_args()


def _open(file: str, **how: Any) -> Any:
    import llama_cpp

    return llama_cpp.Llama(file, verbose=False, **how)


class _Tokens:
    """The file's vocabulary and chat template."""

    def __init__(self, file: str) -> None:
        import llama_cpp
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        self.model = _open(file, vocab_only=True)
        bos, eos = (self._text(token) for token in (self.model.token_bos(), self.model.token_eos()))
        template = self.model.metadata.get("tokenizer.chat_template")
        self.add_bos = bool(llama_cpp.llama_vocab_get_add_bos(llama_cpp.llama_model_get_vocab(self.model.model)))
        self.formatter = Jinja2ChatFormatter(template, eos_token=eos, bos_token=bos) if template else None

    def _text(self, token: int) -> str:
        return str(self.model._model.token_get_text(token)) if token != -1 else ""

    def of(self, question: Mapping[str, Any]) -> list[int]:
        """Ids of the prompt. A rendered chat has its special tokens already; plain text gets what the file says."""
        if question.get("messages") is None:
            return list(self.model.tokenize(question["text"].encode(), add_bos=self.add_bos, special=True))
        if not self.formatter:
            raise SystemExit("the GGUF file has no chat template, and a chat was asked")
        prompt = self.formatter(messages=question["messages"], **question.get("settings", {})).prompt
        return list(self.model.tokenize(prompt.encode(), add_bos=False, special=True))


def _logits(model: Any, ids: Sequence[int], wanted: int) -> list[Any]:
    """The rows (vocabulary,) after each of the last `wanted` ids; others are not kept, for a large vocabulary's would fill the memory."""
    import llama_cpp
    import numpy as np

    context, rows = model.ctx, []
    llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
    batch = llama_cpp.llama_batch_init(BATCH, 0, 1)
    try:
        for begin in range(0, len(ids), BATCH):
            part = ids[begin : begin + BATCH]
            batch.n_tokens = len(part)
            for place, token in enumerate(part):
                batch.token[place], batch.pos[place] = token, begin + place
                batch.n_seq_id[place], batch.seq_id[place][0] = 1, 0
                batch.logits[place] = begin + place >= len(ids) - wanted
            if llama_cpp.llama_decode(context, batch):
                raise SystemExit("llama.cpp could not read the question")
            for place in range(len(part)):
                if batch.logits[place]:
                    found = llama_cpp.llama_get_logits_ith(context, place)
                    rows.append(np.ctypeslib.as_array(found, (model.n_vocab(),)).copy())
    finally:
        llama_cpp.llama_batch_free(batch)
    return rows


def _likeliest(row: Any, top: int) -> dict[str, list[Any]]:
    import numpy as np

    values = row.astype(np.float64)
    values -= values.max()
    values -= np.log(np.exp(values).sum())
    ids = np.argsort(-values, kind="stable")[:top]
    return {"ids": ids.tolist(), "logprobs": values[ids].tolist()}


if __name__ == "__main__":
    main()
