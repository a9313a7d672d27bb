"""What retrieval, injection and the history need of a request: chat_request.py and text_request.py have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from lorewright.rag.body import Body
from lorewright.rag.inject import Style
from lorewright.rag.store import Hit


class Asked(Protocol):
    """given: the checked body. turns: how many of the oldest can be left out. left_out: messages that are. search_text: empty where
    there is none. content: the body to forward.
    """

    @property
    def path(self) -> str: ...

    @property
    def given(self) -> Body: ...

    @property
    def answer_tokens(self) -> int | None: ...

    @property
    def question(self) -> str: ...

    @property
    def search_text(self) -> str: ...

    @property
    def turns(self) -> int: ...

    @property
    def left_out(self) -> int: ...

    def content(self, hits: Sequence[Hit], style: Style) -> bytes: ...

    def tokenize_body(self, hits: Sequence[Hit], style: Style) -> dict[str, Any]: ...

    def without_oldest(self, turns: int) -> Asked: ...
