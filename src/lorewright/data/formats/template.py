"""What a model's chat template puts around an answer, found by rendering it, and the model's own tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorewright.data.formats.messages import messages
from lorewright.errors import LorewrightError
from lorewright.recipe import split_revision

STAND_IN = "zqANSWERqz"  # no template writes it


@dataclass(frozen=True)
class Boundary:
    """before: all that stands before the answer, to the last sign. end: what follows it and closes the turn."""

    before: str
    end: str


@dataclass(frozen=True)
class Template:
    """A tokenizer and its chat template; chat is None for a model that has none, whose text is then plain."""

    tokenizer: Any
    chat: str | None

    def around(self, system: str, user: str) -> Boundary:
        """The template's text around the answer to a question. Raises LorewrightError when the answer cannot be found in it.

        Plain text has a blank line between prompt and answer and the end-of-text token after it.
        """
        if self.chat is None:
            return Boundary("".join(f"{part}\n\n" for part in (system, user) if part), self.tokenizer.eos_token or "")
        whole = self._render(system, user)
        if whole.count(STAND_IN) != 1:
            raise LorewrightError(
                "the chat template does not show the assistant's answer as it is, so nothing can be masked exactly",
                remedy="give the recipe a chat_template of your own, such as configs/templates/chatml.jinja",
            )
        before, _, after = whole.partition(STAND_IN)
        return Boundary(before, self._end(after))

    def _render(self, system: str, user: str) -> str:
        from jinja2 import TemplateError

        turns = messages(system, user, STAND_IN)
        try:
            return str(self.tokenizer.apply_chat_template(turns, chat_template=self.chat, tokenize=False, enable_thinking=False))
        except TemplateError as problem:
            hint = "set data.system_prompt aside" if system else "give the recipe a chat_template of your own"
            raise LorewrightError(f"the chat template refuses these turns: {problem}", remedy=hint) from None

    def _end(self, after: str) -> str:
        """The text to the end of the first special token: the sign by which the model says that it has done."""
        found = [(after.find(token), token) for token in self.tokenizer.all_special_tokens if token and token in after]
        added = [(after.find(token), token) for token in self.tokenizer.get_added_vocab() if token in after]
        first = min(found + added, key=lambda hit: (hit[0], -len(hit[1])), default=None)
        return after[: first[0] + len(first[1])] if first else self.tokenizer.eos_token or ""

    def spans(self, text: str) -> list[tuple[int, int]]:
        """(start, end) of each token in the text, in characters; tokens that share a character share its span."""
        return list(self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"])

    def ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def load_template(base_model: str, chat_template: str | None) -> Template:
    """The base model's tokenizer with the recipe's chat template (a file), else its own.

    base_model: a folder or a hub name (name@revision). Raises LorewrightError when the tokenizer cannot be had.
    """
    tokenizer = _tokenizer(base_model)
    if not tokenizer.is_fast:
        raise LorewrightError(f"the tokenizer of {base_model} has no tokenizer.json", remedy="choose a model that has one")
    own = Path(chat_template).read_text(encoding="utf-8") if chat_template else None
    return Template(tokenizer, own or tokenizer.chat_template)


def _tokenizer(base_model: str) -> Any:
    from transformers import AutoTokenizer

    name, revision = split_revision(base_model)
    load: Callable[..., Any] = AutoTokenizer.from_pretrained
    try:
        return load(name, **({"revision": revision} if revision else {}))
    except Exception as problem:  # noqa: BLE001 (hub, JSON and format errors alike mean that the tokenizer cannot be had)
        raise LorewrightError(
            f"the tokenizer of {name} cannot be had: {(str(problem).splitlines() or ['no message'])[0][:160]}",
            remedy="check base_model and the network, or put HF_TOKEN into .env for a gated model",
        ) from None
