"""Why a document cannot be read, in words for its owner."""

from __future__ import annotations

from dataclasses import dataclass


class UnreadableError(Exception):
    """What is wrong lies in the file, so no other engine will do better.

    reason: completes the sentence "FILE …", for example "is encrypted; save a copy without the password".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Reading:
    """What a reader made of a document.

    text: Markdown: `#` headings, `* * *` scene breaks, paragraphs parted by one blank line. title: the document's own, or "".
    removed: how many of what was left out, such as {"page numbers": 12}. notes: what its owner should know.
    """

    text: str
    title: str = ""
    removed: dict[str, int] | None = None
    notes: tuple[str, ...] = ()
