"""What is usual in English fiction: means and deviations over 70 books, measured by benchmarks/style_reference.py."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

REFERENCE: dict[str, Any] = json.loads((files("lorewright.data.style") / "reference.json").read_text(encoding="utf-8"))
"""function_words: word -> [mean, deviation] per 1,000 words, the commonest first. marks and figures: name -> [mean, deviation].
fiction: words that fiction uses more than the language does -> frequency, 0 to 1."""
