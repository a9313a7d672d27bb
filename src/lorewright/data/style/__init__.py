"""The measured style of a writing: profile, distance, system prompt, picture."""

from __future__ import annotations

from lorewright.data.style.analyse import analyse
from lorewright.data.style.distance import distance
from lorewright.data.style.profile import Style, from_json, to_json
from lorewright.data.style.prompt import system_prompt

__all__ = ["Style", "analyse", "distance", "from_json", "system_prompt", "to_json"]
