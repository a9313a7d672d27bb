"""lorewright infer RECIPE --input FILE --output FILE: answers to prompts without a server, from the base model and the trained adapter."""

from __future__ import annotations

import argparse
from pathlib import Path

from lorewright.cli.arguments import add_recipe, recipe_of
from lorewright.plan import Paths, make_plan
from lorewright.progress import Console, shown
from lorewright.serving.as_trained import SAMPLING, Wishes
from lorewright.serving.infer import infer
from lorewright.stages import Run


def configure(verb: argparse.ArgumentParser) -> None:
    add_recipe(verb)
    verb.add_argument(
        "--input", metavar="FILE", type=Path, required=True, help="prompts: .txt, one a line or between lines of ---; .jsonl; .json"
    )
    verb.add_argument("--output", metavar="FILE", type=Path, required=True, help="JSON lines; the same file again goes on where it ends")
    which = verb.add_mutually_exclusive_group()
    which.add_argument("--adapter", metavar="FOLDER", type=Path, help="this adapter (default: the recipe's newest)")
    which.add_argument("--base-only", action="store_true", help="the base model without an adapter")
    verb.add_argument("--batch", metavar="N", type=whole, default=8, help="prompts at a time (default: %(default)s)")
    verb.add_argument("--max-tokens", metavar="N", type=whole, default=512, help="longest answer, in tokens (default: %(default)s)")
    verb.add_argument(
        "--4bit", dest="four_bit", action=argparse.BooleanOptionalAction, help="quantise the base model (default: as trained, on a GPU)"
    )
    verb.add_argument("--system-prompt", metavar="TEXT", help="instead of the one that was trained with")
    verb.add_argument("--thinking", choices=list(THINKING), help="for models that can think (default: serve.thinking, else as trained)")
    verb.add_argument("--seed", metavar="N", type=int, default=0, help="another seed draws other answers (default: %(default)s)")
    sampling = verb.add_argument_group("sampling", "default: the recipe's, else what its model's family recommends, else the model's own")
    sampling.add_argument("--temperature", metavar="X", type=amount, help="0 is the likeliest words")
    sampling.add_argument("--top-p", metavar="X", type=amount)
    sampling.add_argument("--top-k", metavar="N", type=int)
    sampling.add_argument("--min-p", metavar="X", type=amount)
    sampling.add_argument("--repetition-penalty", metavar="X", type=amount)


THINKING: dict[str, bool | str] = {"on": True, "off": False, "low": "low", "medium": "medium", "high": "high"}


def main(given: argparse.Namespace) -> int:
    recipe = recipe_of(given)
    run = Run(recipe, make_plan(recipe), Paths(given.runs.absolute(), recipe.name), Console())
    wishes = Wishes(
        adapter=given.adapter and given.adapter.absolute(), base_only=given.base_only, four_bit=given.four_bit,
        thinking=THINKING.get(given.thinking), system=given.system_prompt,
        sampling={name: value for name in SAMPLING if (value := getattr(given, name)) is not None},
        max_tokens=given.max_tokens, seed=given.seed,
    )  # fmt: skip
    infer(run, given.input, given.output.absolute(), wishes, given.batch)
    print(shown(given.output.absolute()))
    return 0


def whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def amount(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not 0 or more")
    return value
