"""What is asked about a chart, or what asks for it; in the chart's language."""

from __future__ import annotations

import hashlib

from lorewright.data.charts.cast import Chart
from lorewright.data.charts.text import offset

READINGS = {
    "zh": (
        "请根据这张命盘，从命宫与三方四正说起，分析此人的性格与一生的主线。",
        "请看官禄宫与相关宫位，谈谈此人适合怎样的事业，以及哪几步大限最要紧。",
        "请看夫妻宫与福德宫，谈谈此人的感情与相处之道。",
        "请看财帛宫与田宅宫，谈谈此人的财运、如何得财、如何守财。",
        "请逐一说明四化落在哪些宫位，它们把哪些事情连在一起。",
        "请按大限的顺序，概述此人六十岁以前的起伏。",
    ),
    "en": (
        "Read this chart: begin with the soul palace and the palaces that face it, and say what kind of person this is.",
        "What work suits this person? Argue from the career palace and those around it, and name the decades that matter most.",
        "What does the chart say about love and companionship? Weigh the spouse palace against the spirit palace.",
        "How does this person come by money and keep it? Argue from the wealth and property palaces.",
        "Go through the four transformations: which palaces do they fall into, and what do they tie together?",
        "Tell the first sixty years decade by decade, each from the palace that rules it.",
    ),
}
ASKED = {
    "zh": "请为以下出生资料排出命盘：{gender}，公历{date}，{hour}，时区{tz}。",
    "en": "Cast the birth chart for: {gender}, born {date}, {hour}, {tz}.",
}
CLOCK = ["00:00–01:00", *(f"{hour:02d}:00–{hour + 2:02d}:00" for hour in range(1, 23, 2)), "23:00–24:00"]


def reading(chart: Chart, seed: int) -> str:
    """The chart and one question about it, chosen by the seed and the birth."""
    choices = READINGS[chart.birth.language]
    pick = int.from_bytes(hashlib.sha256(f"{seed} {chart.birth.key}".encode()).digest()[:4], "big")
    return f"{chart.text}\n\n{choices[pick % len(choices)]}"


def casting(chart: Chart) -> str:
    """The birth data, with the request for its chart."""
    birth = chart.birth
    gender = {"male": "男", "female": "女"}[birth.gender] if birth.language == "zh" else birth.gender
    return ASKED[birth.language].format(gender=gender, date=birth.date, hour=CLOCK[birth.hour], tz=offset(birth.tz))
