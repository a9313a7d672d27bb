"""lorewright query RECIPE "question": asks through the RAG proxy and shows what it was given."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from lorewright.chat import stream
from lorewright.cli.arguments import add_recipe, recipe_of
from lorewright.errors import LorewrightError
from lorewright.services import base_url


def configure(verb: argparse.ArgumentParser) -> None:
    add_recipe(verb)
    verb.add_argument("question", help="what to ask")
    verb.add_argument("--max-tokens", type=int, default=400, help="longest answer, in tokens (default: %(default)s)")
    verb.add_argument("--temperature", type=float, help="0 is the likeliest words, 1 is free (default: the model's own)")
    verb.add_argument("--no-lore", action="store_true", help="ask without retrieving anything")


def main(given: argparse.Namespace) -> int:
    recipe = recipe_of(given)
    if not recipe.rag:
        raise LorewrightError("the recipe has no lore", where=given.recipe, remedy="add a rag: section with its sources")
    options: dict[str, Any] = {"max_tokens": given.max_tokens}
    options |= {} if given.temperature is None else {"temperature": given.temperature}
    if given.no_lore:
        options["lore"] = False
    asyncio.run(_ask(f"{base_url(recipe.rag.host, recipe.rag.port)}/v1", recipe.name, given.question, options))
    return 0


async def _ask(url: str, model: str, question: str, options: dict[str, Any]) -> None:
    passages: list[dict[str, Any]] = []
    async for piece in stream(url, model, question, **options):
        if isinstance(piece, list):
            passages = piece
        else:
            sys.stdout.write(piece)
            sys.stdout.flush()
    print("\n")
    print("lore was switched off") if options.get("lore") is False else show_passages(passages)


def show_answer(question: str, text: str, passages: list[dict[str, Any]]) -> None:
    indented = "\n          ".join(text.strip().splitlines())
    print(f"\nquestion  {question}\nanswer    {indented}\n")
    show_passages(passages)


def show_passages(passages: list[dict[str, Any]]) -> None:
    """The lore an answer was given, nearest first."""
    print("lore used:" if passages else "no lore was near enough to use")
    for passage in passages:
        heading = f" · {passage['heading']}" if passage.get("heading") else ""
        print(f"  {passage['distance']:.3f}  {passage['source']}{heading}")
