"""Whether a run can be made again: its recipe as it was, every file that it read by its hash, the versions of then and now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from lorewright import __version__, envs
from lorewright.errors import LorewrightError
from lorewright.history.kept import Kept
from lorewright.history.told import EXACT
from lorewright.manifest import Hashes, write_whole
from lorewright.models.hub import commit
from lorewright.plan import Plan
from lorewright.recipe import FORMAT_PARTS, Recipe, load

RECIPE = "recipe.yaml"
NAMED = 12  # so many files are named


def recipe_as_it_was(kept: Kept, place: Path) -> Recipe:
    """The run's recipe with every value, defaults and overrides included, written into the place. Raises LorewrightError."""
    about = f"# The recipe of {kept.home.name}'s run {kept.run}, every value as it was then.\n"
    text = yaml.safe_dump(_loadable(kept.record["recipe"]), sort_keys=False, allow_unicode=True, width=120)
    write_whole(place / RECIPE, about + text)
    return load(place / RECIPE)


def _loadable(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a recipe may say: what it extends is in it already, and parts of other formats were only defaults."""
    found = {key: value for key, value in values.items() if key != "extends"}
    if found.get("data"):
        form = found["data"]["format"]
        found["data"] = {key: value for key, value in found["data"].items() if form in FORMAT_PARTS.get(key, (form,))}
    return found


def stages_again(kept: Kept, recipe: Recipe, plan: Plan) -> list[str]:
    """The stages to be made again. Raises LorewrightError where the run does not hold all that they need."""
    stages = [name for name in kept.stages if name in EXACT]
    if not stages:
        raise LorewrightError("this run has made nothing that can be made again and compared", where=kept.run)
    if recipe.data and recipe.data.asks:
        raise LorewrightError(
            "a model wrote the examples of this run, and would write others today", where=kept.run,
            remedy="its training set is kept: train on that",
        )  # fmt: skip
    for name in stages:
        missing = [need for need in plan.step(name).needs if need not in stages and plan.step(need).kind == "artifact"]
        if missing:
            what = f"its {name} was made of an older {missing[0]}, which does not belong to its recipe"
            raise LorewrightError(what, where=kept.run, remedy="name the run that made all of it")
    return stages


def check_inputs(kept: Kept, recipe: Recipe, plan: Plan, stages: list[str], hashes: Hashes) -> int:
    """How many files were compared with what they were. Raises LorewrightError that names all that is gone, new or another one."""
    files: dict[str, str] = {}
    wrong: dict[str, None] = {}
    for name in stages:
        then = kept.step(name).get("inputs")
        if then is None:
            raise LorewrightError(f"what {name} has read is not kept any more", where=kept.run)
        step = plan.step(name)
        now = hashes.inputs(step.texts, step.files)
        wrong |= dict.fromkeys(_differences(then, now))
        files |= then
    wrong |= dict.fromkeys(_moved_on(kept, recipe))
    if wrong:
        more = f"\n  … and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        listed = "".join(f"\n  {line}" for line in list(wrong)[:NAMED])
        raise LorewrightError(f"what this run has read is not as it was, so nothing is run:{listed}{more}", where=kept.run)
    return len(files)


def _differences(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for key in sorted({*then, *now}):
        name = key.partition("/")[2]
        if key not in now:
            yield f"{name} is gone"
        elif key not in then:
            yield f"{name} is new"
        elif then[key] != now[key]:
            yield f"{name} has changed: {then[key][:12]} → {now[key][:12]}"


def _moved_on(kept: Kept, recipe: Recipe) -> Iterator[str]:
    """A hub's model under the same name may be another one by now."""
    then = kept.step("train").get("facts", {}).get("base_model_commit")
    now = commit(recipe.base_model) if then else None
    if now and now != then:
        yield f"{recipe.base_model} has changed: commit {then[:12]} → {now[:12]}"


def versions_said(kept: Kept, plan: Plan, stages: list[str]) -> list[str]:
    """What of the programs is another than it was; empty where all is the same."""
    then, said = kept.record.get("lorewright"), []
    if then != __version__:
        said.append(f"lorewright {then} → {__version__}")
    for name in stages:
        step, before = plan.step(name), kept.step(name)
        env = envs.locate(step.environment)
        if before.get("environment") not in (None, f"{env.name}-{env.key}"):
            said.append(f"environment {before['environment']} → {env.name}-{env.key}")
        if before.get("version") not in (None, step.version):
            said.append(f"lorewright's {name}: version {before['version']} → {step.version}")
    return list(dict.fromkeys(said))
