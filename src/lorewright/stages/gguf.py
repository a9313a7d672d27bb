"""The merged model as one GGUF file in its own precision, of which files of all types are made."""

from __future__ import annotations

from pathlib import Path

from lorewright.errors import LorewrightError
from lorewright.manifest import write_json
from lorewright.models.export.bos import bos_wanted
from lorewright.models.export.tools import Place, convert, describe
from lorewright.models.rendering import template_of
from lorewright.plan import Step
from lorewright.stages.run import Facts, Run

FILE, ABOUT = "model.gguf", "about.json"


def gguf(step: Step, run: Run) -> Facts:
    """model.gguf, and about.json: what llama.cpp reads in its head. Raises LorewrightError for a tokenizer that llama.cpp does not know."""
    model, place = exported_model(run), Place(run.paths.log(step.name), run.work)
    file = run.work / FILE
    wanted = bos_wanted(model, chats=not plain_text(run))
    with run.console.bar(step.name) as bar:
        bar(0, None, "llama.cpp's converter")
        convert(model, run.recipe.name, file, place, bar, add_bos=wanted)
    about = describe(file, place)
    if about["template"] != template_of(model).text:
        what = "the converter left another chat template in the file than the model has"
        raise LorewrightError(
            what, where=str(model), remedy="keep one template there: chat_template.jinja, or the one in tokenizer_config.json"
        )
    write_json(run.work / ABOUT, about)
    size = file.stat().st_size
    return {"bytes": size, "architecture": about["architecture"], "said": f"{about['architecture']}, {size / 1e6:,.1f} MB"}


def plain_text(run: Run) -> bool:
    """Whether the training was on text alone, without a chat template around it."""
    data = run.recipe.data
    return bool(data and data.format == "sections" and data.sections.examples == "text")


def exported_model(run: Run) -> Path:
    """The folder of the model that is exported."""
    assert run.recipe.export
    return Path(run.recipe.export.model) if run.recipe.export.model else run.done["merge"] / "merged"
