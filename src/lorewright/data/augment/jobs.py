"""The two jobs: `answers` (a prompt in, its answer out) and `qa` (a passage in, questions out that it answers)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lorewright.chat import Answer
from lorewright.data.augment.items import Item
from lorewright.data.augment.prompts import load_prompt
from lorewright.data.augment.validate import RejectedError, json_in, plain
from lorewright.recipe.model import Augment

Row = dict[str, Any]
QUESTION_LENGTH = (8, 500)  # characters
_ABOUT_THE_TEXT = re.compile(r"\b(?:this|the|given|above) (?:passage|text|excerpt|extract)\b|(?:本文|这段文字|上文)", re.IGNORECASE)


@dataclass(frozen=True)
class Job:
    """What is sent for an item, what counts as an answer, and the rows that come of it.

    schema: of the JSON wanted, None for plain text. expected: tokens of an ordinary answer. output: the file of rows.
    """

    messages: Callable[[Item], list[dict[str, str]]]
    accept: Callable[[Answer], Any]
    rows: Callable[[Item, Any], list[Row]]
    schema: Mapping[str, Any] | None
    expected: int
    output: str


def job_of(settings: Augment) -> Job:
    return JOBS[settings.job](settings)


def answers(settings: Augment) -> Job:
    """Rows {prompt, completion} and the fields that the prompt came with."""
    prompt = load_prompt("answers", settings.prompt, "prompt")
    if settings.system_prompt:
        prompt = replace(prompt, system=settings.system_prompt)
    return Job(
        messages=lambda item: prompt.messages(prompt=item.text),
        accept=lambda answer: plain(answer.text, answer.finish, least=settings.min_length),
        rows=lambda item, text: [dict(item.origin) | {"id": item.name, "prompt": item.text, "completion": text}],
        schema=None,
        expected=settings.max_tokens // 2,
        output="answers.jsonl",
    )


def qa(settings: Augment) -> Job:
    """Rows {question, answer}: the answer is the passage, word for word; the model only asks."""
    prompt = load_prompt("qa", settings.prompt, "passage")
    if settings.system_prompt:
        prompt = replace(prompt, system=settings.system_prompt)
    count = settings.per_passage
    return Job(
        messages=lambda item: prompt.messages(passage=item.text, count=count),
        accept=lambda answer: questions_in(plain(answer.text, answer.finish), count),
        rows=lambda item, found: [dict(item.origin) | {"id": item.name, "question": asked, "answer": item.text} for asked in found],
        schema=schema_of_questions(count),
        expected=40 * count,
        output="qa.jsonl",
    )


JOBS: dict[str, Callable[[Augment], Job]] = {"answers": answers, "qa": qa}


def schema_of_questions(count: int) -> dict[str, Any]:
    """An object at the top, every key required and no other: what servers with strict structured output ask for."""
    texts = {"type": "array", "items": {"type": "string"}, "minItems": count, "maxItems": count}
    return {"type": "object", "properties": {"questions": texts}, "required": ["questions"], "additionalProperties": False}


def questions_in(text: str, count: int) -> list[str]:
    """`count` questions from the model's JSON, which may be the object asked for or a bare list. Raises RejectedError."""
    texts = {"type": "array", "items": {"type": "string"}}
    whole = {"type": "object", "properties": {"questions": texts}, "required": ["questions"]}
    value = json_in(text, {"anyOf": [whole, texts]})
    asked = [" ".join(question.split()) for question in (value["questions"] if isinstance(value, dict) else value)]
    least, most = QUESTION_LENGTH
    good = {question.casefold(): question for question in asked if least <= len(question) * (1 if question.isascii() else 2) <= most}
    kept = [question for question in good.values() if not _ABOUT_THE_TEXT.search(question)]
    if len(kept) < count:
        raise RejectedError(f"{len(kept)} of {count} usable questions" + (" (some speak of the passage)" if len(kept) < len(good) else ""))
    return kept[:count]
