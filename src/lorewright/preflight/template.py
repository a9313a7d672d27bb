"""Has the set what it is rendered with: a format of turns needs a chat template, the model's or the recipe's own."""

from __future__ import annotations

from lorewright.data.formats import needs_template
from lorewright.errors import LorewrightError
from lorewright.preflight.found import Found, bad, good
from lorewright.preflight.model import Model
from lorewright.recipe import Recipe
from lorewright.serving.early import check_serving
from lorewright.serving.template import check_template

NAME = "template"


def template(recipe: Recipe, model: Model) -> list[Found]:
    """Nothing is said where the hub does not tell whether the model has one."""
    try:
        check_template(model.name, recipe.chat_template)
    except LorewrightError as problem:
        return [_of(problem, NAME)]
    if recipe.chat_template:
        return [good(NAME, recipe.chat_template)]
    if model.template is None:
        return []
    if model.template:
        return [good(NAME, "the model's own")]
    if recipe.data and recipe.axolotl is not None and needs_template(recipe.data):
        what = f"{recipe.model_name} has no chat template, and format {recipe.data.format} is made of turns"
        remedy = "set chat_template in the recipe to a Jinja file, for example configs/templates/chatml.jinja, or take an instruct model"
        return [bad(NAME, what, remedy)]
    return [good(NAME, "none; what is trained is plain text")]


def served(recipe: Recipe) -> list[Found]:
    """What would keep the trained model from being served, hours later. A broken template has its own line."""
    try:
        check_serving(recipe)
    except LorewrightError as problem:
        return [] if "chat template" in problem.what else [_of(problem, "serving")]
    return []


def _of(problem: LorewrightError, name: str) -> Found:
    place = f"{problem.where}: " if problem.where else ""
    return bad(name, f"{place}{problem.what}", problem.remedy)
