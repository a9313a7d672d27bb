"""What would only be seen when vLLM is started, hours after a training began: told before anything is made."""

from __future__ import annotations

from lorewright.errors import LorewrightError
from lorewright.recipe import Recipe
from lorewright.serving import adapters
from lorewright.serving.presets import preset_of
from lorewright.serving.template import check_template

# Axolotl's keys for what an adapter can hold and a live one cannot.
BARRED = {"peft_use_dora": "DoRA", "lora_modules_to_save": "whole modules trained beside it"}


def check_serving(recipe: Recipe) -> None:
    """Raises LorewrightError for a preset, a template or adapters with which the recipe's model could not be served."""
    preset_of(recipe)
    if recipe.chat_template:
        check_template("", recipe.chat_template)
    if recipe.serve.adapters:
        adapters.arguments(recipe.serve.adapters, recipe.vllm or {})
    found = [said for key, said in BARRED.items() if (recipe.axolotl or {}).get(key)]
    if recipe.serve.on_base and found:
        what = f"an adapter with {' and '.join(found)} cannot be held beside the base model"
        raise LorewrightError(what, where=str(recipe.file), remedy="take serve.live and serve.adapters out: it is served merged then")
