"""What a chat template puts around each turn, found by rendering it with stand-ins.

Most templates write fixed words before and after what is said: ChatML, Llama 3, Mistral, Gemma, Phi. From these a template for another
engine can be written. What does otherwise (dates, thoughts taken out, the system's words put into the last question) is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from lorewright.models.rendering import ChatTemplate, NotRenderedError

SYSTEM, ASKED, ANSWERED, AGAIN = "zqSYSTEMqz", "zqASKEDqz", "zqANSWEREDqz", "zqAGAINqz"  # no template writes them


class NoSchemeError(ValueError):
    """The template does not put each turn between fixed words; the message says where."""


@dataclass(frozen=True)
class Turn:
    """What stands before and after the words of a turn."""

    before: str
    after: str


@dataclass(frozen=True)
class Scheme:
    """How a chat is written.

    opening: before a chat without a system message. system: None where the template shows none. joined: the system's words stand in the
    first question, which then has nothing before it. asked: what stands after the last question, where the answer begins.
    """

    opening: str
    system: Turn | None
    joined: bool
    user: Turn
    assistant: Turn
    asked: str


def say(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def scheme_of(template: ChatTemplate) -> Scheme:
    """Raises NoSchemeError."""
    one = [say("user", ASKED)]
    two = [*one, say("assistant", ANSWERED)]
    first, after = _parts(template, one, ASKED)
    whole = _rendered(template, one, asked=True)
    if not whole.startswith(first + ASKED + after):
        raise NoSchemeError("a question is written otherwise when an answer is to follow")
    closing = _parts(template, two, ASKED, ANSWERED)[2]
    # of an earlier answer: some templates open the last one with an empty thought, which no chat that is gone on with has
    _, between, next_turn, _ = _parts(template, [*two, say("user", AGAIN)], ASKED, ANSWERED, AGAIN)
    user = Turn(_without(next_turn, closing, "an answer is closed otherwise when it is the last"), after)
    assistant = Turn(_without(between, after, "a question is closed otherwise when an answer follows"), closing)
    if not first.endswith(user.before):
        raise NoSchemeError("the first question opens otherwise than the next")
    system, joined = _system(template, user)
    return Scheme(first.removesuffix(user.before), system, joined, user, assistant, whole.removeprefix(first + ASKED + after))


def _system(template: ChatTemplate, user: Turn) -> tuple[Turn | None, bool]:
    turns = [say("system", SYSTEM), say("user", ASKED)]
    try:
        whole = template.render(turns)
    except NotRenderedError:
        return None, False
    if SYSTEM not in whole:
        return None, False
    before, between, _ = _parts(template, turns, SYSTEM, ASKED)
    joined = not between.endswith(user.before)
    return Turn(before, between if joined else between.removesuffix(user.before)), joined


def _without(text: str, head: str, why: str) -> str:
    if not text.startswith(head):
        raise NoSchemeError(why)
    return text.removeprefix(head)


def _parts(template: ChatTemplate, turns: list[dict[str, str]], *words: str) -> list[str]:
    """The text before, between and after the stand-ins. Raises NoSchemeError where each does not stand there once, in this order."""
    rest, found = _rendered(template, turns), []
    for word in words:
        if rest.count(word) != 1:
            raise NoSchemeError("a turn's words are left out, written twice, or in another order")
        part, _, rest = rest.partition(word)
        found.append(part)
    return [*found, rest]


def _rendered(template: ChatTemplate, turns: list[dict[str, str]], *, asked: bool = False) -> str:
    try:
        return template.render(turns, asked=asked)
    except NotRenderedError as problem:
        raise NoSchemeError(f"it refuses {' and '.join(turn['role'] for turn in turns)}: {problem}") from None
