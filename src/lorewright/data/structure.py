"""What in a text is structure and not prose: scene breaks and chapter headings."""

from __future__ import annotations

import re

SCENE_BREAK = "* * *"
LONGEST = 100  # characters of a heading
_MARKDOWN = re.compile(r"#{1,6}[ \t]+(\S.*?)[ \t#]*\Z")
_NUMBERS = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|"
    "thirty|forty|fifty|(?:the )?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last)"
)
_NUMERAL = rf"(?:\d{{1,4}}|[IVXLC]{{1,8}}|(?i:{_NUMBERS}))"
_DIVISIONS = (
    "chapter|part|book|section|act|scene|canto|kapitel|teil|buch|chapitre|partie|livre|cap[ií]tulo|parte|libro|capitolo|глава|часть"
)
_PLAIN = re.compile(
    rf"(?:(?i:{_DIVISIONS})"
    rf"[ \t]+{_NUMERAL}(?:[ -]{_NUMERAL})?(?:[ \t]*[.:—–-][ \t]*\S.{{0,70}})?"
    r"|(?i:prologue|epilogue|prolog|epilog|interlude)"
    r"|第[一二三四五六七八九十百千零〇两\d０-９]{1,8}[章回节節卷部幕話话](?:[ 　:：]{1,3}.{0,40})?"
    r"|제?[ ]?\d{1,4}[ ]?장(?:[ :.].{0,40})?)[.:]?"
)


_OPENINGS = frozenset(word.lower() for word in re.findall(r"\b\w\w", f"{_DIVISIONS}|prologue|epilogue|interlude".replace("[ií]", "i")))
_SIGNS = frozenset("#*_第제장 0123456789")


def heading(paragraph: str) -> str:
    """The title, when a paragraph is a heading: Markdown's `# Title`, or a line such as `CHAPTER IV` or `第三章 雨`; else ""."""
    if paragraph[:1] not in _SIGNS and paragraph[:2].lower() not in _OPENINGS:
        return ""
    if paragraph.startswith("#") and not paragraph.startswith("# #"):
        match = _MARKDOWN.match(paragraph)
        return match[1] if match and len(paragraph) <= 2 * LONGEST and "\n" not in paragraph else ""
    if not paragraph or len(paragraph) > LONGEST:
        return ""
    bare = paragraph.strip("*_") if paragraph[0] in "*_" else paragraph
    return bare if _PLAIN.fullmatch(bare) else ""
