"""What an example is, one file a format: each turns its rows into examples and knows how Axolotl is to read them.

A prose format makes an example of a passage of a manuscript; a row format reads rows that were written as examples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lorewright.data.formats import completion, passages
from lorewright.data.formats.passages import Passage
from lorewright.recipe import Data

PROSE: dict[str, Callable[[Passage, str, int], dict[str, Any]]] = {"passages": passages.example, "completion": completion.example}

CHAT = {"type": "chat_template", "field_messages": "messages"}  # Axolotl renders the template and trains on the assistant's turns
SEGMENTS = {"type": "input_output"}  # a list of texts, each with a label: true is trained, false is masked
TEXT = {"type": "completion", "field": "text"}  # plain text, trained whole


def axolotl_dataset(data: Data) -> dict[str, Any]:
    """The keys of Axolotl's `datasets` entry that say how this format's examples are read; the path is the caller's."""
    if data.format in ("pairs", "charts"):
        return {"ds_type": "json", **SEGMENTS}
    if data.format == "sections" and data.sections.examples == "text":
        return {"ds_type": "json", **TEXT}
    return {"ds_type": "json", **CHAT}


def needs_template(data: Data) -> bool:
    """Whether the examples are turns that Axolotl renders with the chat template."""
    return bool(axolotl_dataset(data)["type"] == CHAT["type"])


def template_settings(data: Data) -> Mapping[str, Any]:
    """What the chat template is told while training: rows without a trained thought switch thinking off."""
    if data.format != "qa":
        return {}
    return {"enable_thinking": data.qa.thinking == "rows"}
