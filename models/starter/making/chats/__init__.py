"""Instruction data made from the books: scenes, continuations, questions about lore, and scenes that use lore."""
