"""What is usual in fiction: measures every book of a folder and writes src/lorewright/data/style/reference.json (figures, no text).

Use: python benchmarks/style_reference.py BOOKS, a folder of .txt files, one a book, with the dev environment.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from statistics import fmean, median, pstdev

TARGET = Path(__file__).resolve().parent.parent / "src/lorewright/data/style/reference.json"
WORDS = 150
FIGURES = ("dialogue", "variety", "rare_words", "adverbs", "adjectives", "short_sentences", "past")


def main(folder: Path) -> None:
    TARGET.write_text('{"function_words": {}, "marks": {}, "figures": {}, "fiction": {}}\n')
    from lorewright.data.clean import clean
    from lorewright.data.style import analyse
    from lorewright.data.style.vocabulary import frequencies
    from lorewright.data.style.words import words_of

    books = [clean(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.txt"))]
    shares, styles = [], []
    for number, book in enumerate(books, 1):
        found = words_of(re.sub(r"(?<=\w)’(?=\w)", "'", book), "en")
        shares.append({word: 1000 * count / len(found) for word, count in Counter(word.lower() for word in found).items()})
        styles.append(analyse([book]))
        print(f"{number}/{len(books)}", end="\r")
    every = {word for word, books_with in Counter(word for one in shares for word in one).items() if books_with > len(books) / 2}
    means = {word: fmean(one.get(word, 0.0) for one in shares) for word in every}
    common = sorted(means, key=lambda word: -means[word])[:WORDS]
    known = frequencies("en")
    typical = {word: median([one.get(word, 0.0) for one in shares]) / 1000 for word in means if word.isalpha() and len(word) > 2}
    fiction = {word: float(f"{share:.3g}") for word, share in sorted(typical.items()) if share > max(1.5 * known.get(word, 1.0), 2e-5)}
    write({
        "books": len(books),
        "fiction": fiction,
        "function_words": {word: spread([one.get(word, 0.0) for one in shares], 4) for word in common},
        "marks": {mark: spread([style.marks[mark] for style in styles], 2) for mark in styles[0].marks},
        "figures": {name: spread([getattr(style, name) for style in styles], 4) for name in FIGURES}
        | {name: spread([getattr(style, name).mean for style in styles], 2) for name in ("sentence_length", "paragraph_length")},
    })  # fmt: skip


def spread(values: list[float], digits: int) -> list[float]:
    return [round(fmean(values), digits), round(pstdev(values), digits)]


def write(reference: dict[str, object]) -> None:
    lines = json.dumps(reference, ensure_ascii=False)
    TARGET.write_text(re.sub(r", (?=\"\w[^\"]*\": [\[{])", ",\n", lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
