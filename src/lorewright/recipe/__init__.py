"""Recipes: one YAML file with line numbers, what it extends, overrides, checks, and the frozen result."""

from lorewright.recipe.load import load
from lorewright.recipe.model import Chunk, Data, Rag, Recipe, Serve, is_folder, split_revision

__all__ = ["Chunk", "Data", "Rag", "Recipe", "Serve", "is_folder", "load", "split_revision"]
