"""Birth charts to rows of prompt and completion: a source like any other."""

from __future__ import annotations

from lorewright import envs
from lorewright.data.augment import Item
from lorewright.data.charts.births import drawn, read_births
from lorewright.data.charts.cast import Caster, Chart, cast
from lorewright.data.charts.questions import casting, reading
from lorewright.data.formats.passages import jsonl
from lorewright.data.formats.rows import BadRow, Row, read_rows
from lorewright.errors import LorewrightError
from lorewright.manifest import write_whole
from lorewright.recipe import Data
from lorewright.stages.ask import asked
from lorewright.stages.run import Run

PROMPTS = "prompts.jsonl"


def chart_rows(run: Run, data: Data) -> tuple[list[Row], list[BadRow]]:
    """A row a chart, called by data.pairs' names; and the births that gave none."""
    charts, bad = make_charts(run, data)
    if data.charts.ask == "chart":
        pairs = [(casting(chart), chart.text) for chart in charts]
        names = (data.pairs.prompt, data.pairs.completion)
        return [Row("charts", number, dict(zip(names, pair, strict=True))) for number, pair in enumerate(pairs, 1)], bad
    rows, more = _answered(run, data, charts)
    return rows, bad + more


def _answered(run: Run, data: Data, charts: list[Chart]) -> tuple[list[Row], list[BadRow]]:
    """The questions, each with the answer that augmentation has got for it; those without one are left out and told."""
    items = [Item(chart.birth.key, reading(chart, data.seed)) for chart in charts]
    write_whole(run.work / PROMPTS, jsonl([{"id": item.name, "prompt": item.text} for item in items]))
    if not data.augment:
        raise LorewrightError(
            f"{len(items)} questions about charts have no answers yet",
            where=str(run.work / PROMPTS),
            remedy="say under data.augment who answers them, or set data.charts.ask to chart",
        )
    rows = asked(items, run, data)
    answers, bad = read_rows([str(rows)])
    answered = {str(row.values["id"]) for row in answers}
    named = [
        Row("charts", row.number, {data.pairs.prompt: row.values["prompt"], data.pairs.completion: row.values["completion"]})
        for row in answers
    ]
    return named, bad + [BadRow(item.name, "was not answered") for item in items if item.name not in answered]


def make_charts(run: Run, data: Data) -> tuple[list[Chart], list[BadRow]]:
    """The charts that the recipe asks for, kept one by one in the stage's folder. Raises LorewrightError when there are too few to draw."""
    settings = data.charts
    folder = run.work / "charts"
    folder.mkdir(parents=True, exist_ok=True)
    caster = Caster(envs.ensure("charts"), folder, run.paths.log("charts"))
    rows, bad = read_rows(data.sources) if data.sources else ([], [])
    births, more = read_births(rows, settings)
    with run.console.bar("charts") as bar:
        charts, failed = cast(births if data.sources else drawn(settings, data.seed), settings.count, caster, bar)
    if not data.sources and len(charts) < settings.count:
        said = f"{settings.start_year} to {settings.end_year} gave {len(charts)} different charts, {settings.count} are wanted"
        raise LorewrightError(said, remedy="widen data.charts.start_year and end_year, or lower data.charts.count")
    run.console.line(f"prepare   {len(charts)} charts cast")
    return charts, bad + more + failed
