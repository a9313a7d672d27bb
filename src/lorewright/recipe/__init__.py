"""Recipes: one YAML file with line numbers, what it extends, overrides, checks, and the frozen result."""

from lorewright.recipe.export import Export, is_private
from lorewright.recipe.load import freeze, load
from lorewright.recipe.model import (
    FORMAT_PARTS,
    Charts,
    Chunk,
    Clean,
    Data,
    Extract,
    Pairs,
    Qa,
    Rag,
    Recipe,
    Rerank,
    Rung,
    Sections,
    Serve,
    Train,
    is_folder,
    split_revision,
)

__all__ = [
    "FORMAT_PARTS", "Charts", "Chunk", "Clean", "Data", "Export", "Extract", "Pairs", "Qa", "Rag", "Recipe", "Rerank", "Rung", "Sections",
    "Serve", "Train", "freeze", "is_folder", "is_private", "load", "split_revision",
]  # fmt: skip
