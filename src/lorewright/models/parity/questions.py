"""What the sides of a comparison are asked: held-out examples, each with the beginning of its own answer or all of it.

A question is a line of JSON: id, messages (rendered with the chat template, with the opening of an answer) or text (read as it
stands), answer_ids (the same tokens for every side), top (how many of the likeliest next tokens are wanted at each position) and,
where training had some, settings of the chat template.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.manifest import write_whole

TOP = 20  # what vLLM gives at the most, unless its max_logprobs says more
EXAMPLES, POSITIONS, MOST = 6, 200, 24  # so many at the least, as long as there are no more than that
ANSWER = 240  # tokens of an answer that are looked at
ROWS = 2000  # rows that are looked through
GREETING = [{"role": "user", "content": "Who is there?"}]


@dataclass(frozen=True)
class Asking:
    """What questions are made for. tokenizer: the folder that was trained with. settings: of the chat template. room: tokens of prompt
    and answer together. top: of the likeliest next tokens."""

    tokenizer: Path
    settings: Mapping[str, Any]
    room: int
    top: int = TOP


@dataclass(frozen=True)
class Example:
    """prompt: tokens of the prompt's words, without what a template puts around them."""

    messages: list[dict[str, Any]] | None
    text: str | None
    prompt: int
    answer: list[int]


def write_questions(prepared: Path, asking: Asking, file: Path) -> str:
    """Writes the questions from the held-out part of a training set; from the trained part where nothing was held out.

    The shortest come first: more of them fit, and their ends are seen. Returns what they are, in words. Raises LorewrightError where
    no example fits.
    """
    from tokenizers import Tokenizer

    if not (asking.tokenizer / "tokenizer.json").is_file():
        remedy = "put the base model's there, or set parity.check: false"
        raise LorewrightError("no tokenizer.json to make the questions with", where=str(asking.tokenizer), remedy=remedy)
    tokenizer = Tokenizer.from_file(str(asking.tokenizer / "tokenizer.json"))
    held = prepared / "validation.jsonl"
    of = "held-out" if held.is_file() and held.stat().st_size else "trained"
    rows = _rows(held if of == "held-out" else prepared / "training.jsonl")
    found = [example for row in rows if (example := _example(row, tokenizer, asking)) and example.prompt < asking.room - 1]
    chosen = list(_chosen(found))
    if not chosen:
        raise LorewrightError(
            f"no example is short enough to compare models with: {asking.room} tokens", where=str(prepared),
            remedy="raise vllm.max_model_len, or set parity.check: false",
        )  # fmt: skip
    asked = [(example.messages, example.text, example.answer[: min(ANSWER, asking.room - 1 - example.prompt)]) for example in chosen]
    if not chosen[0].messages and _has_template(asking.tokenizer):
        asked.append((GREETING, None, []))  # training has rendered the template; this sees that it is still the same
    lines = [_line(number, asking, *parts) for number, parts in enumerate(asked)]
    write_whole(file, "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines))
    return f"{len(lines)} {of} prompt{'s' if len(lines) > 1 else ''}, {sum(len(ids) + 1 for _, _, ids in asked):,} positions"


def read_questions(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]


def _line(number: int, asking: Asking, messages: list[dict[str, Any]] | None, text: str | None, ids: list[int]) -> dict[str, Any]:
    line = {"id": f"p{number}", "messages": messages, "text": text, "answer_ids": ids, "top": asking.top}
    return line | ({"settings": dict(asking.settings)} if asking.settings and messages is not None else {})


def _chosen(found: list[Example]) -> Iterator[Example]:
    count = positions = 0
    for example in sorted(found, key=lambda example: example.prompt + len(example.answer)):
        if count >= MOST or (count >= EXAMPLES and positions >= POSITIONS):
            return
        count, positions = count + 1, positions + len(example.answer) + 1
        yield example


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with open(file, encoding="utf-8") as opened:
        for number, line in enumerate(opened):
            if number >= ROWS:
                return
            if line.strip():
                yield json.loads(line)


def _example(row: Mapping[str, Any], tokenizer: Any, asking: Asking) -> Example | None:
    """None for a row without an answer. Axolotl reads turns, marked pieces of text, or plain text."""
    if row.get("messages"):
        turns = [dict(turn) for turn in row["messages"]]
        last = max((at for at, turn in enumerate(turns) if turn["role"] == "assistant" and turn.get("content")), default=0)
        words = "".join(str(turn.get("content") or "") for turn in turns[:last])
        around = 16 * (last + 1)  # what a template puts around turns, at a guess
        return Example(turns[:last], None, _count(words, tokenizer) + around, _ids(turns[last]["content"], tokenizer)) if last else None
    prompt, answer = _marked(row["segments"]) if row.get("segments") else _halved(str(row.get("text") or ""))
    begin = _first_token(asking.tokenizer)
    prompt = prompt.removeprefix(begin) if begin else prompt  # the tokenizer puts it there itself
    ends = {token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special}
    while (end := next((end for end in ends if answer.rstrip().endswith(end)), "")) != "":
        answer = answer.rstrip().removesuffix(end)
    return Example(None, prompt, _count(prompt, tokenizer), _ids(answer, tokenizer)) if prompt.strip() and answer.strip() else None


def _marked(segments: list[dict[str, Any]]) -> tuple[str, str]:
    """(what is masked before the first trained piece, what is trained)"""
    first = next((at for at, part in enumerate(segments) if part["label"]), len(segments))
    shown, trained = segments[:first], [part for part in segments[first:] if part["label"]]
    return "".join(part["text"] for part in shown), "".join(part["text"] for part in trained)


def _halved(text: str) -> tuple[str, str]:
    """The first third of a text, at most 600 characters, up to a blank; and how it goes on."""
    cut = text.rfind(" ", 1, min(600, len(text) // 3 + 1))
    return (text[:cut], text[cut:]) if cut > 0 else ("", "")


def _ids(text: str, tokenizer: Any) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def _count(text: str, tokenizer: Any) -> int:
    return len(_ids(text, tokenizer))


def _settings(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _first_token(folder: Path) -> str:
    token = _settings(folder).get("bos_token")
    return str(token.get("content", "")) if isinstance(token, dict) else str(token or "")


def _has_template(folder: Path) -> bool:
    return (folder / "chat_template.jinja").is_file() or bool(_settings(folder).get("chat_template"))
