"""Sources to a training set. How depends on the format: manuscripts are cleaned and cut, rows are taken as they were written."""

from __future__ import annotations

from lorewright.data.report import report
from lorewright.data.style.picture import style_page
from lorewright.data.style.profile import Style, to_json
from lorewright.manifest import write_json, write_whole
from lorewright.plan import Step
from lorewright.stages.prepare_passages import prepare_passages
from lorewright.stages.prepare_rows import prepare_rows
from lorewright.stages.run import Facts, Run

ADVISED_EXAMPLES = 100


def prepare(step: Step, run: Run) -> Facts:
    """training.jsonl and validation.jsonl, the measured style with its picture, what was taken out, and a report of it all."""
    data = run.recipe.data
    assert data
    style, system, facts = (prepare_passages if data.manuscripts else prepare_rows)(run, data)
    _write_style(run, style, system)
    if facts["training"] < ADVISED_EXAMPLES and data.max_samples is None:
        few = f"{facts['training']} examples: a voice wants {ADVISED_EXAMPLES} or more"
        run.console.line(f"prepare   {few}{'; add manuscripts or lower data.chunk.max' if data.manuscripts else ''}")
    told = {"name": run.recipe.name, "base_model": run.recipe.model_name, "format": data.format, "rights": data.rights_told}
    report(run.work, told, run.done.get("extract"))
    return facts


def _write_style(run: Run, style: Style, system: str) -> None:
    write_json(run.work / "style.json", to_json(style) | {"system_prompt": system})
    write_whole(run.work / "style.html", style_page(style, system, f"The voice of {run.recipe.name}"))
