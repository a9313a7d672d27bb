"""Birth charts: births drawn and read, charts cast by py-iztro itself, their text, and going on after a kill."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lorewright import envs
from lorewright.data.charts.births import Birth, double_hour, drawn, read_births
from lorewright.data.charts.cast import WORKER, Caster, Chart, cast
from lorewright.data.charts.questions import CLOCK, READINGS, casting, reading
from lorewright.data.charts.text import offset
from lorewright.data.formats.rows import Row
from lorewright.recipe import Charts
from lorewright.stages import Run
from lorewright.stages.prepare import prepare

SETTINGS = Charts(count=12, start_year=1960, end_year=1999, tz=None, ask="reading", languages=("zh", "en"))


def no_bar(done: float, total: float | None, note: str = "") -> None: ...


def quiet(line: str) -> None: ...


@pytest.fixture
def caster(tmp_path: Path) -> Caster:
    return Caster(envs.ensure("charts"), tmp_path, tmp_path / "charts.log")


@pytest.mark.req("Z1")
@pytest.mark.real
def test_charts_are_cast_as_text_in_both_languages_and_the_same_for_a_seed(caster: Caster, tmp_path: Path) -> None:
    charts, bad = cast(drawn(SETTINGS, 7), 12, caster, no_bar)
    assert bad == []
    assert len({chart.text for chart in charts}) == 12
    assert [chart.birth.language for chart in charts] == ["zh", "en"] * 6
    for chart in charts:
        lines = chart.text.split("\n")
        assert len(lines) == 4 + 1 + 12, "a head, a blank line, twelve palaces"
        assert chart.birth.date in lines[1]
        assert offset(chart.birth.tz) in lines[1]
        assert lines[5].startswith("命宫" if chart.birth.language == "zh" else "Soul")
        assert "None" not in chart.text
        assert "[" not in chart.text
    again = Caster(caster.environment, tmp_path / "again", tmp_path / "again.log")
    again.folder.mkdir()
    assert cast(drawn(SETTINGS, 7), 5, again, no_bar)[0] == charts[:5], "a larger count goes on from the smaller one"


@pytest.mark.req("Z1")
@pytest.mark.real
def test_a_known_chart(caster: Caster) -> None:
    """By the rule of thumb of the almanac: seventh month and hour of the Tiger put the soul palace into the Horse, whose stem is ren."""
    chart = cast([Birth("2000-08-16", 2, "female", 8.0, "zh")], 1, caster, no_bar)[0][0]
    assert "农历：二〇〇〇年七月十七" in chart.text
    assert "庚辰 甲申 丙午 庚寅" in chart.text
    assert "命宫 壬午" in chart.text
    assert chart.text.count("化禄") == chart.text.count("化忌") == 1


@pytest.mark.req("Z1")
@pytest.mark.real
def test_a_killed_worker_loses_nothing_and_casts_nothing_twice(caster: Caster, tmp_path: Path) -> None:
    births = list(itertools.islice(drawn(SETTINGS, 1), 60))
    (tmp_path / "births.jsonl").write_text("".join(json.dumps(birth.line()) + "\n" for birth in births))
    out = tmp_path / "charts.jsonl"
    worker = subprocess.Popen(
        [caster.environment.python, str(WORKER), "births.jsonl", "charts.jsonl"], cwd=tmp_path, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (out.exists() and out.read_bytes().count(b"\n") >= 5):
        time.sleep(0.01)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    before = out.read_bytes().count(b"\n")
    assert 5 <= before < 60
    with open(out, "ab") as file:
        file.write(b'\0\0\0\n{"key": "torn')
    counted: list[str] = []
    assert len(caster(births, counted.append)) == 60
    keys = [json.loads(line)["key"] for line in out.read_text().splitlines() if "\0" not in line]
    assert sorted(keys) == sorted(birth.key for birth in births)
    assert len([line for line in counted if line.startswith("cast ")]) == 60 - before


def test_charts_that_read_alike_count_once() -> None:
    chart = {
        "time": "t", "time_range": "r", "lunar_date": "l", "chinese_date": "c", "zodiac": "z", "sign": "s", "five_elements_class": "f",
        "soul": "a", "body": "b", "earthly_branch_of_soul_palace": "x",
        "palaces": [{"name": "命宫", "is_body_palace": True, "heavenly_stem": "h", "earthly_branch": "x", "major_stars": [], "minor_stars": [], "adjective_stars": [], "decadal": {"range": [1, 2]}}],
    }  # fmt: skip
    births = [Birth("2000-01-01", hour, "male", 8.0, "zh") for hour in (1, 2, 3)]

    def stub(some: list[Birth], on_line: Callable[[str], None]) -> dict[str, dict[str, object]]:
        return {birth.key: {"error": "wrong"} if birth.hour == 3 else {"chart": chart} for birth in some}

    charts, bad = cast(births, 3, stub, no_bar)  # type: ignore[arg-type]
    assert [one.birth.hour for one in charts] == [1]
    assert [(one.place, one.reason) for one in bad] == [("2000-01-01 3 male 8 zh", "wrong")]


@pytest.mark.req("Z1")
def test_births_are_drawn_within_the_range_and_a_small_range_ends() -> None:
    births = list(itertools.islice(drawn(SETTINGS, 3), 500))
    assert len({birth.key for birth in births}) == 500
    assert {birth.date[:4] for birth in births} <= {str(year) for year in range(1960, 2000)}
    assert len({birth.tz for birth in births}) > 5
    assert {birth.hour for birth in births} == set(range(13))
    assert births == list(itertools.islice(drawn(SETTINGS, 3), 500))
    fixed = Charts(1, 2000, 2000, -5, "reading", ("en",))
    assert {birth.tz for birth in itertools.islice(drawn(fixed, 3), 50)} == {-5.0}
    assert 8000 < len(list(drawn(fixed, 3))) <= 366 * 13 * 2, "it ends when hardly any are left"


@pytest.mark.req("Z1", "R3")
def test_births_are_read_from_rows_and_wrong_ones_told() -> None:
    good = {"date": "1990-05-17", "time": "23:40", "gender": "女", "tz": "5.5", "language": "zh"}
    rows = [Row("b.csv", 2, good), Row("b.csv", 3, {"date": "1990-05-17", "time": 7, "gender": "M"})]
    wrong = [{"date": "1990-02-30"}, {"date": "1850-01-01"}, {"time": "24:00"}, {"gender": "x"}, {"tz": "99"}, {"language": "fr"}, {}]
    births, bad = read_births([*rows, *(Row("b.csv", 4 + n, good | change) for n, change in enumerate(wrong))], SETTINGS)
    assert births == [Birth("1990-05-17", 12, "female", 5.5, "zh"), Birth("1990-05-17", 4, "male", 8.0, "en")]
    assert [one.reason.split(",")[0] for one in bad] == [
        "date is '1990-02-30'", "date is '1850-01-01'; the almanac covers 1900 to 2100", "time is '24:00'", "gender is 'x'", "tz is '99'",
        "language is 'fr'", "is the birth of an earlier row again",
    ]  # fmt: skip


def test_clock_times_fall_into_their_double_hours() -> None:
    assert [double_hour(time) for time in ("00:00", "0:59", "1:00", "02:59", "12:30", "22:59", "23:00", "23:59:30")] == [
        0,
        0,
        1,
        1,
        6,
        11,
        12,
        12,
    ]
    assert len(CLOCK) == 13
    assert (CLOCK[1], CLOCK[11]) == ("01:00–03:00", "21:00–23:00")


@pytest.mark.req("Z1")
def test_questions_stand_in_the_charts_language_and_differ() -> None:
    charts = [Chart(birth, "TEXT") for birth in itertools.islice(drawn(SETTINGS, 5), 300)]
    asked = [reading(chart, 1).removeprefix("TEXT\n\n") for chart in charts]
    assert set(asked[::2]) == set(READINGS["zh"])
    assert set(asked[1::2]) == set(READINGS["en"])
    assert "born" in casting(charts[1])
    assert "请为" in casting(charts[0])


def recipe_of(make_recipe: Callable[..., Path], tiny_model: Path, **charts: object) -> Path:
    data = {"format": "charts", "charts": {"count": 6, **charts}, "pairs": {"max_tokens": 1024, "context_keep": 64}}
    return make_recipe(
        base_model=str(tiny_model),
        data=data,
        axolotl={"adapter": "lora", "lora_r": 8, "micro_batch_size": 1, "num_epochs": 1, "sequence_len": 1024},
    )


@pytest.mark.req("Z1", "Z3")
@pytest.mark.real
def test_the_stage_makes_pairs_of_charts(
    make_recipe: Callable[..., Path], run_of: Callable[..., Run], tiny_model: Path, tmp_path: Path
) -> None:
    run = run_of(recipe_of(make_recipe, tiny_model, ask="chart"))
    run.work = tmp_path / "work"
    facts = prepare(run.plan.step("prepare"), run)
    assert facts["rows"] == 6
    assert facts["training"] > 6, "a chart is longer than an example of the tiny model, so it comes in pieces"
    first = json.loads((run.work / "training.jsonl").read_text().splitlines()[0])
    assert [part["label"] for part in first["segments"][:2]] == [False, True]


@pytest.mark.req("Z1")
@pytest.mark.real
def test_births_of_a_file_are_a_source_like_any_other(
    make_recipe: Callable[..., Path], run_of: Callable[..., Run], tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "births.csv").write_text(
        "date,time,gender,tz,language\n1990-05-17,07:30,female,8,en\n1990-13-17,07:30,female,8,en\n2000-08-16,03:10,男,,zh\n"
    )
    run = run_of(
        recipe_of(make_recipe, tiny_model, ask="chart"), "data.sources=[" + str(tmp_path / "births.csv") + "]", "data.validation=0"
    )
    run.work = tmp_path / "work"
    facts = prepare(run.plan.step("prepare"), run)
    assert (facts["rows"], facts["left_out"], facts["validation"]) == (2, 1, 0)
    text = (run.work / "training.jsonl").read_text(encoding="utf-8")
    assert "Cast the birth chart for: female, born 1990-05-17, 07:00–09:00, UTC+8." in text
    assert "公历2000-08-16" in text


@pytest.mark.req("Z1")
@pytest.mark.real
def test_questions_without_answers_are_kept_and_told(
    make_recipe: Callable[..., Path], run_of: Callable[..., Run], tiny_model: Path, tmp_path: Path
) -> None:
    run = run_of(recipe_of(make_recipe, tiny_model))
    run.work = tmp_path / "work"
    with pytest.raises(Exception, match="6 questions about charts have no answers yet"):
        prepare(run.plan.step("prepare"), run)
    assert len((run.work / "prompts.jsonl").read_text().splitlines()) == 6
