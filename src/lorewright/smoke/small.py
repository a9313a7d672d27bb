"""The smoke run of a recipe, and in words what is smaller."""

from __future__ import annotations

from dataclasses import dataclass

from lorewright.plan import LORE
from lorewright.recipe import Recipe, freeze
from lorewright.smoke.sample import Sample, sample
from lorewright.smoke.shrink import shrunk

# Bytes: what is read, cut, indexed in well under a minute on two cores. Manuscripts may be PDFs with pictures; lore is embedded.
MANUSCRIPTS, LORE_BYTES = 2_000_000, 200_000


@dataclass(frozen=True)
class Small:
    """recipe: the small one; whole: the one it was made of. manuscripts, lore: what is read of the sources. cards: that share a step."""

    recipe: Recipe
    whole: Recipe
    manuscripts: Sample
    lore: Sample
    cards: int = 1

    @property
    def times(self) -> float:
        """How many times as many examples the whole sources give."""
        data, small = self.whole.data, self.recipe.data
        drawn = data and small and data.format == "charts" and not data.sources
        return data.charts.count / small.charts.count if drawn and data and small else self.manuscripts.times

    def said(self) -> tuple[str, str]:
        """What is smaller; what is not, and where it is kept."""
        data, axolotl, rag = self.recipe.data, self.recipe.axolotl, self.recipe.rag
        parts = [self.manuscripts.said("source files")] if self.manuscripts.files else []
        parts += [f"at most {data.max_samples} examples"] if data else []
        parts += [f"{axolotl['max_steps']} steps of one micro-batch{' a card' if self.cards > 1 else ''}"] if axolotl is not None else []
        parts += [self.lore.said("lore files"), "1 question"] if rag else []
        ports = f"port {self.recipe.serve.port}" if not rag else f"ports {self.recipe.serve.port} and {rag.port}"
        collection = f" and runs/collections/{rag.collection}" if rag else ""
        kept = f"kept apart in runs/{self.recipe.name}{collection}, {ports}"
        return f"smaller: {', '.join(parts)}", f"as in the recipe: the base model, its settings for Axolotl and vLLM; {kept}"


def small_of(recipe: Recipe, cards: int = 1) -> Small:
    """Looks at the recipe's sources and makes the small recipe. cards: how many would share a step here.

    Raises LorewrightError where a source is not there.
    """
    manuscripts = sample(recipe.data.sources if recipe.data else (), MANUSCRIPTS)
    lore = sample(recipe.rag.sources if recipe.rag else (), LORE_BYTES, LORE)
    values = shrunk(recipe.resolved, manuscripts.sources, lore.sources, cards)
    return Small(freeze(values, recipe.file), recipe, manuscripts, lore, cards)
