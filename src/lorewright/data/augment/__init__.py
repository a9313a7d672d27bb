"""Prompts in, checked answers out: many calls of a chat API, kept one by one, so that nothing is paid for twice.

items ─ job (prompt, schema, check) ─ limits ─ calls ─ journal.jsonl ┐
                                           └ rejected.jsonl          ├ rows.jsonl
"""

from lorewright.data.augment.items import Item, good_prompts, items_of_passages, read_prompts
from lorewright.data.augment.providers import Endpoint, endpoint_of
from lorewright.data.augment.run import augment

__all__ = ["Endpoint", "Item", "augment", "endpoint_of", "good_prompts", "items_of_passages", "read_prompts"]
