"""A chart as text a model can read, in Chinese or English, by templates of our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lorewright.data.charts.births import Birth

# What the library's English calls the four transformations and a star's strength, in words.
CHANGES = {"A": "prosperity", "B": "power", "C": "fame", "D": "obstruction"}
STRENGTHS = {
    "[+3]": "exalted", "[+2]": "strong", "[+1]": "favoured", "[0]": "fair", "[-1]": "plain", "[-2]": "weak", "[-3]": "fallen",
}  # fmt: skip


def chart_text(chart: Mapping[str, Any], birth: Birth) -> str:
    """The whole chart: the birth, what rules it, and the twelve palaces from the first on."""
    head, palace = (_head_zh, _palace_zh) if birth.language == "zh" else (_head_en, _palace_en)
    return "\n".join([*head(chart, birth), "", *(palace(one) for one in _from_soul(chart))])


def offset(tz: float) -> str:
    """UTC+8, UTC-3, UTC+5:30."""
    minutes = round(abs(tz) * 60)
    return f"UTC{'-' if tz < 0 else '+'}{minutes // 60}" + (f":{minutes % 60:02d}" if minutes % 60 else "")


def _from_soul(chart: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The palaces in their own order, which begins with the soul palace and runs against the branches."""
    palaces = chart["palaces"]
    first = next(n for n, one in enumerate(palaces) if one["earthly_branch"] == chart["earthly_branch_of_soul_palace"])
    return [palaces[(first - step) % len(palaces)] for step in range(len(palaces))]


def _head_zh(chart: Mapping[str, Any], birth: Birth) -> list[str]:
    return [
        f"命盘（{'男命' if birth.gender == 'male' else '女命'}）",
        f"出生：公历{birth.date}，{chart['time']}（{chart['time_range']}），时区{offset(birth.tz)}",
        f"农历：{chart['lunar_date']}；四柱：{chart['chinese_date']}",
        f"生肖{chart['zodiac']}，{chart['sign']}；五行局：{chart['five_elements_class']}；命主{chart['soul']}，身主{chart['body']}",
    ]


def _palace_zh(palace: Mapping[str, Any]) -> str:
    first, last = palace["decadal"]["range"]
    name = palace["name"].removesuffix("宫") + "宫" + ("（身宫）" if palace["is_body_palace"] else "")
    stars = [
        f"{label}{'、'.join(names)}"
        for label, names in (
            ("主星", [_star_zh(star) for star in palace["major_stars"]] or ["无"]),
            ("辅星", [_star_zh(star) for star in palace["minor_stars"]]),
            ("杂曜", [star["name"] for star in palace["adjective_stars"]]),
        )
        if names
    ]
    return f"{name} {palace['heavenly_stem']}{palace['earthly_branch']}：{'；'.join(stars)}；大限{first}至{last}岁"


def _star_zh(star: Mapping[str, Any]) -> str:
    change = f"化{star['mutagen']}" if star["mutagen"] else ""
    return str(star["name"]) + (f"（{star['brightness']}）" if star["brightness"] else "") + change


def _head_en(chart: Mapping[str, Any], birth: Birth) -> list[str]:
    return [
        f"Birth chart ({birth.gender})",
        f"Born: {birth.date}, {chart['time']} ({chart['time_range']}), {offset(birth.tz)}",
        f"Four pillars: {chart['chinese_date']}",
        f"Year of the {chart['zodiac']}, {chart['sign']}; element: {chart['five_elements_class']}; "
        f"ruler of the soul: {chart['soul']}, of the body: {chart['body']}",
    ]


def _palace_en(palace: Mapping[str, Any]) -> str:
    first, last = palace["decadal"]["range"]
    name = palace["name"].capitalize() + (" (palace of the body)" if palace["is_body_palace"] else "")
    stars = [
        f"{label} {', '.join(names)}"
        for label, names in (
            ("main stars", [_star_en(star) for star in palace["major_stars"]] or ["none"]),
            ("with", [_star_en(star) for star in palace["minor_stars"]]),
            ("minor", [star["name"] for star in palace["adjective_stars"]]),
        )
        if names
    ]
    return f"{name}, {palace['heavenly_stem']} {palace['earthly_branch']}: {'; '.join(stars)}; ages {first} to {last}"


def _star_en(star: Mapping[str, Any]) -> str:
    notes = [STRENGTHS.get(star["brightness"] or "", star["brightness"]), CHANGES.get(star["mutagen"] or "", star["mutagen"])]
    said = ", ".join(note for note in notes if note)
    return f"{star['name']} ({said})" if said else str(star["name"])
