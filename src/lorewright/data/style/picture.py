"""The one-page picture of a style: style.html."""

from __future__ import annotations

from math import log

from markupsafe import Markup

from lorewright.data.pages import render
from lorewright.data.pages.svg import bars, histogram, split_bar
from lorewright.data.style.languages import NAMES
from lorewright.data.style.profile import CLASS, Style
from lorewright.data.style.reference import REFERENCE

Picture = tuple[str, Markup, str]


def style_page(style: Style, prompt: str, heading: str = "How this is written") -> str:
    """Self-contained HTML. prompt: the system prompt in use. heading: whose writing it is."""
    return render(
        "style.html", title=heading, heading=heading, lead=_lead(style), prompt=prompt, figures=_figures(style), pictures=_pictures(style),
        favourites=_sized(style), english=style.language == "en",
    )  # fmt: skip


def _lead(style: Style) -> str:
    size = f"{style.words:,} words" if style.words else f"{style.paragraphs:,} paragraphs"
    tongue = f" of {NAMES[style.language]}" if style.language else ""
    manner = ", ".join([f"{style.person} person"] * bool(style.person) + [f"{style.tense} tense"] * bool(style.tense))
    return f"{size}{tongue}{', told in the ' + manner if manner else ''}."


def _figures(style: Style) -> list[tuple[str, str]]:
    """(what it is, its value) of what could be measured."""
    lengths, paragraphs = style.sentence_length, style.paragraph_length
    every = [
        ("words in the middle sentence", f"{lengths.median:g}" if lengths else None),
        ("words in the middle paragraph", f"{paragraphs.median:g}" if paragraphs else None),
        ("of the text is dialogue", _percent(style.dialogue)),
        ("of the narrating verbs are past", _percent(style.past)),
        ("different words in 500", f"{500 * style.variety:.0f}" if style.variety is not None else None),
        ("of the words are rare", _percent(style.rare_words, 1)),
        ("are adverbs", _percent(style.adverbs, 1)),
        ("are adjectives", _percent(style.adjectives, 1)),
    ]
    return [(name, value) for name, value in every if value is not None]


def _percent(share: float | None, digits: int = 0) -> str | None:
    return None if share is None else f"{100 * share:.{digits}f}\u202f%"


def _pictures(style: Style) -> list[Picture]:
    pictures: list[Picture] = []
    english = style.language == "en"
    if style.sentence_length and style.sentences:
        length = style.sentence_length
        starts = [1 + CLASS * number for number in range(len(style.sentence_lengths) + 1)]
        drawn = histogram(style.sentence_lengths, starts, "sentences by length", length.median, f"half are shorter than {length.median:g}")
        said = (
            f"Words in a sentence. Eight in ten have {length.p10:g} to {length.p90:g}; {_percent(style.short_sentences)} have six or fewer."
        )
        pictures.append(("Sentences", drawn, f"{said} The last column holds all from {starts[-2]} words."))
    told = f"narration {_percent(1 - style.dialogue)}"
    usual = f"In other fiction {_percent(REFERENCE['figures']['dialogue'][0])} is spoken." if english else ""
    pictures.append(
        ("Told and spoken", split_bar(style.dialogue, f"dialogue {_percent(style.dialogue)}", told, "dialogue and narration"), usual)
    )
    if style.marks:
        rows = [(mark, rate, REFERENCE["marks"][mark][0] if english else None) for mark, rate in style.marks.items()]
        drawn = bars(sorted(rows, key=lambda row: -row[1]), "punctuation")
        pictures.append(
            ("Punctuation", drawn, f"In 1,000 words.{' The upright lines show what is usual in English fiction.' if english else ''}")
        )
    if style.openings:
        rows = [(word.capitalize().replace("'", "’"), 100 * share, None) for word, share in list(style.openings.items())[:8]]
        pictures.append(("How sentences begin", bars(rows, "first words", unit="\u202f%"), ""))
    return pictures


def _sized(style: Style) -> list[dict[str, object]]:
    """Favourite words with a size in pixels, 17 to 38 by the logarithm of their keyness, in alphabetical order."""
    if not style.favourites:
        return []
    scores = [log(max(one.keyness, 1.0)) for one in style.favourites]
    low, high = min(scores), max(scores)
    sizes = [round(17 + 21 * (score - low) / max(0.1, high - low)) for score in scores]
    sized = [{"word": one.word, "count": one.count, "size": size} for one, size in zip(style.favourites, sizes, strict=True)]
    return sorted(sized, key=lambda entry: str(entry["word"]))
