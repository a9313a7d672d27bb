"""Pages for people: self-contained HTML, light and dark, without a script or anything from the network."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {"thousands": lambda number: f"{number:,}"}
    return made


def render(template: str, **values: Any) -> str:
    """A template of this folder, filled; every value is escaped, save SVG made in svg.py."""
    return _templates().get_template(template).render(**values)


def render_text(template: str, **values: Any) -> str:
    """The same for a template that is no HTML: nothing is escaped."""
    return _templates().overlay(autoescape=False).get_template(template).render(**values)
