"""Whether an answer is what was asked for. What is not is told apart by a reason, so that it can be counted and looked at."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_FENCED = re.compile(r"```[a-zA-Z]*\s*\n(.*?)```", re.DOTALL)
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
# Only sentences that say nothing else, at the very beginning of a short answer: a story may begin with "I'm sorry" too.
_REFUSAL = re.compile(
    r"(?:(?:i['’]m|i am)(?: very| so)? sorry,? (?:but )?|sorry,? (?:but )?|i apologi[sz]e,? (?:but )?"
    r"|unfortunately,? |as an ai[^.]{0,40}, )?"
    r"(?:i (?:can['’]?t|cannot|can not|am unable to|['’]m unable to|won['’]t be able to|am not able to) "
    r"(?:help|assist|comply|provide|fulfil+|create|generate|answer|continue|write|do|engage|complete|discuss|support|give|offer)\b)"
    r"|i['’]m (?:unable|not able) to (?:help|assist|comply|provide|fulfil+|create|generate|answer|continue|write|complete|discuss)\b"
    r"|(?:很抱歉|抱歉|对不起|對不起)[，,]?\s*(?:但)?我(?:无法|無法|不能)"
    r"|作为(?:一个|一個)?\s*(?:ai|人工智能)[^。]{0,30}(?:无法|不能)"
    r"|es tut mir leid,? (?:aber )?(?:ich kann|dabei kann ich)|je suis désolée?,? (?:mais )?je ne peux pas"
    r"|lo siento,? (?:pero )?no puedo",
    re.IGNORECASE,
)
REFUSAL_WORDS = 80


class RejectedError(Exception):
    """An answer that is not used, and why, in words for the side file."""


def plain(text: str, finish: str, *, least: int = 1, most: int = 0) -> str:
    """The answer without its thinking.

    finish: the server's reason to stop. least, most: characters, most 0 for no limit. Raises RejectedError.
    """
    answer = _THOUGHT.sub("", text).strip()
    if not answer or answer.startswith("<think>"):
        raise RejectedError("empty" if not answer else "the thinking did not end")
    if refuses(answer) or finish == "content_filter":
        raise RejectedError("refused")
    if finish == "length":
        raise RejectedError("cut off at max_tokens")
    if len(answer) < least:
        raise RejectedError(f"too short: {len(answer)} of at least {least} characters")
    if most and len(answer) > most:
        raise RejectedError(f"too long: {len(answer)} of at most {most} characters")
    return answer


def refuses(answer: str) -> bool:
    """Whether the answer is a refusal and nothing else. In doubt it is not."""
    words = len(answer.split()) if answer.isascii() else len(answer) / 2
    return words <= REFUSAL_WORDS and bool(_REFUSAL.match(answer))


def json_in(text: str, schema: Mapping[str, Any]) -> Any:
    """The JSON value in an answer that keeps to the schema: fenced, bare, or with words around it.

    Raises RejectedError with what is wrong with the first value found.
    """
    from jsonschema import Draft202012Validator

    first = ""
    for value in _values(text):
        problem = next(Draft202012Validator(schema).iter_errors(value), None)
        if problem is None:
            return value
        place = "".join(f"[{part!r}]" for part in problem.absolute_path)
        first = first or f"does not keep to the schema: {place} {problem.message[:120]}".replace(":  ", ": ")
    raise RejectedError(first or "no JSON in it")


def _values(text: str) -> list[Any]:
    """Candidates, likeliest first: the whole text, what stands in fences, what begins at a bracket."""
    found = []
    for piece in (text, *_FENCED.findall(text)):
        try:
            found.append(json.loads(piece))
        except (ValueError, RecursionError):
            continue
    decoder, at, tries = json.JSONDecoder(), 0, 0
    while (begin := _bracket(text, at)) >= 0 and tries < 50:
        tries += 1
        try:
            value, end = decoder.raw_decode(text, begin)
            found.append(value)
            at = end
        except (ValueError, RecursionError):
            at = begin + 1
    return found


def _bracket(text: str, at: int) -> int:
    places = [place for place in (text.find("[", at), text.find("{", at)) if place >= 0]
    return min(places, default=-1)
