"""Which run is meant: by its recipe, its own name or the beginning of it, or a file or folder of it."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from lorewright.errors import LorewrightError
from lorewright.history.kept import Kept
from lorewright.progress import shown

LISTED = 5  # so many near ones are named


def find_run(words: str, runs: Path) -> Kept:
    """The run that the words name.

    words: a recipe's name or file for its newest run, with ~1 behind it for the one before; a run's name, its beginning will do;
    a manifest; the folder of a recipe's results; the folder of a stage for the newest run that used it. runs: the runs folder.
    Raises LorewrightError that names the near ones.
    """
    name, wave, back = words.partition("~")
    if wave and not (back.isdigit() and int(back)):
        raise LorewrightError("is no run: behind ~ stands how many runs before the newest", where=words, remedy="for example starter~1")
    found = _found(name, runs, words)
    return before(found, int(back)) if wave else found


def before(run: Kept, count: int = 1) -> Kept:
    """The run of the same recipe that was so many before this one. Raises LorewrightError where there were not so many."""
    found = manifests(run.home)
    at = found.index(run.file) - count if run.file in found else -1
    if at < 0:
        raise LorewrightError(
            f"{run.home.name} has no run that is {count} before this one", where=run.run, remedy=f"its runs: {_named(found)}"
        )
    return Kept.read(found[at])


def _found(name: str, runs: Path, words: str) -> Kept:
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return _newest(_recipe_name(path), runs, words)
    if (runs / name / "manifests").is_dir() and "/" not in name:
        return _newest(name, runs, words)
    if path.is_file() and path.suffix == ".json" and path.parent.name == "manifests":
        return Kept.read(path.absolute())
    if path.is_dir():
        return _of_folder(path, words)
    return _by_name(name.rpartition("/")[2], runs, words)


def manifests(home: Path) -> list[Path]:
    """The runs of a recipe's folder, the oldest first."""
    return sorted((home / "manifests").glob("*.json"))


def _newest(recipe: str, runs: Path, words: str) -> Kept:
    found = manifests(runs / recipe)
    if not found:
        raise LorewrightError(f"recipe {recipe} has not been run in {shown(runs)}", where=words, remedy=_known(runs, recipe))
    return Kept.read(found[-1])


def _of_folder(path: Path, words: str) -> Kept:
    """The folder of a recipe's results, or of one of its stages, also through a link of `latest`."""
    folder = path.resolve()
    if manifests(folder):
        return Kept.read(manifests(folder)[-1])
    for file in reversed(manifests(folder.parent.parent)):
        kept = Kept.read(file)
        if folder in (kept.folder(stage) for stage in kept.stages):
            return kept
    raise LorewrightError("no run is kept in this folder, and none has used it", where=words, remedy="name a recipe or a run")


def _by_name(beginning: str, runs: Path, words: str) -> Kept:
    every = sorted(runs.glob("*/manifests/*.json"), key=lambda file: file.stem)
    found = [file for file in every if beginning and file.stem.startswith(beginning)]
    exact = [file for file in found if file.stem == beginning]
    if len(exact) == 1 or len(found) == 1:
        return Kept.read((exact or found)[0])
    if found:
        raise LorewrightError(f"{len(found)} runs begin with this", where=words, remedy=f"among them: {_named(found)}")
    raise LorewrightError("is no recipe that was run, no run and no folder of one", where=words, remedy=_known(runs, beginning))


def _known(runs: Path, asked: str) -> str:
    """The recipes and runs that are most like what was asked for; where none is, the newest."""
    every = sorted(runs.glob("*/manifests/*.json"), key=lambda file: file.stem)
    if not every:
        return "nothing has been run there yet; ./lorewright run RECIPE"
    recipes = sorted({file.parent.parent.name for file in every})
    near = get_close_matches(asked, recipes, LISTED, 0.5)
    like = get_close_matches(asked, [file.stem for file in every], LISTED, 0.7)
    newest = [file for file in every if file.stem in like] or [file for file in every if file.parent.parent.name in (near or recipes)]
    return f"recipes that were run: {', '.join(near or recipes[:LISTED])}; runs: {_named(newest)}"


def _named(files: list[Path]) -> str:
    """The newest of them, by their recipe and name."""
    some = [f"{file.parent.parent.name}/{file.stem}" for file in reversed(files)][:LISTED]
    return ", ".join(some) + (f" and {len(files) - LISTED} older" if len(files) > LISTED else "")


def _recipe_name(file: Path) -> str:
    """Read lightly: a recipe whose files are gone still names its runs."""
    from lorewright.recipe.layers import read_layers

    name = read_layers(file).values.get("recipe")
    if not isinstance(name, str):
        raise LorewrightError("this recipe has no name", where=str(file), remedy="add `recipe: NAME`")
    return name
