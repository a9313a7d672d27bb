"""The turns of a conversation as Axolotl's `messages` hold them."""

from __future__ import annotations


def messages(system: str, user: str, answer: str, thinking: str = "") -> list[dict[str, str]]:
    """System (left out when empty), user and assistant. thinking: the assistant's thought, trained with the answer."""
    turns = [{"role": role, "content": text} for role, text in (("system", system), ("user", user)) if text]
    thought = {"reasoning_content": thinking} if thinking else {}
    return [*turns, {"role": "assistant", "content": answer} | thought]
