"""The passages of an index and their words, in one SQLite file beside Chroma's: read by many threads, never rebuilt for a question.

A passage is known as `FILE:NUMBER`: its file's key and its place in the file.
"""

from __future__ import annotations

import fnmatch
import json
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lorewright.rag.chunk import Passage
from lorewright.rag.lexical import COLUMNS, columns, is_wide, match_any

FILE = "passages.sqlite"
MOST_POSTINGS = 3_000  # that one question may rank: a few milliseconds
SPLIT = "unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'"  # where lexical.py has put spaces, and nowhere else
SCHEMA = f"""
CREATE TABLE files(key TEXT PRIMARY KEY, source TEXT, category TEXT, title TEXT, tags TEXT, problem TEXT) WITHOUT ROWID;
CREATE TABLE passages(row INTEGER PRIMARY KEY, file TEXT, number INTEGER, section INTEGER, heading TEXT, text TEXT, vectors INTEGER);
CREATE UNIQUE INDEX place ON passages(file, number);
CREATE VIRTUAL TABLE words USING fts5({", ".join(COLUMNS)}, content='', tokenize="{SPLIT}");
CREATE VIRTUAL TABLE counted USING fts5vocab(words, 'col');
"""
TERMS = """
DROP TABLE IF EXISTS terms;
CREATE TABLE terms(term TEXT PRIMARY KEY, passages INTEGER, title INTEGER, heading INTEGER, names INTEGER, starts INTEGER, body INTEGER)
    WITHOUT ROWID;
INSERT INTO terms SELECT term, sum(doc), sum(doc * (col = 'title')), sum(doc * (col = 'heading')), sum(doc * (col = 'names')),
    sum(doc * (col = 'starts')), sum(doc * (col = 'body')) FROM counted GROUP BY term;
"""
INDEX_WORDS = "INSERT INTO words(rowid, title, heading, names, starts, body) VALUES (?, ?, ?, ?, ?, ?)"
FORGET_WORDS = "INSERT INTO words(words, rowid, title, heading, names, starts, body) VALUES ('delete', ?, ?, ?, ?, ?, ?)"
FACTS = "p.file || ':' || p.number, p.text, f.source, f.category, f.title, p.heading, f.tags, p.section"
ALLOWED = "SELECT f.key FROM files f WHERE f.key IN (SELECT value FROM json_each(?))"
FROM = "FROM passages p JOIN files f ON f.key = p.file"
RANK = f"bm25(words, {', '.join(map(str, COLUMNS.values()))})"


@dataclass(frozen=True)
class Filter:
    """Which passages may be found; what is empty bounds nothing. sources: paths, folders ending in `/`, or patterns with `*`."""

    categories: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.categories or self.sources or self.tags)


class CatalogueWriter:
    """Fills a catalogue, a new one or a copy of an earlier one. Nothing is safe on disk before finish."""

    def __init__(self, file: Path) -> None:
        new = not file.exists()
        self._base = sqlite3.connect(file, isolation_level=None)
        self._base.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        if new:
            self._base.executescript(SCHEMA)
        self._base.execute("BEGIN")

    def keys(self) -> set[str]:
        return {key for (key,) in self._base.execute("SELECT key FROM files")}

    def categories(self) -> list[str]:
        return [name for (name,) in self._base.execute("SELECT DISTINCT category FROM files ORDER BY category")]

    def problems(self) -> dict[str, str]:
        """Key of a file -> what was wrong with it."""
        return dict(self._base.execute("SELECT key, problem FROM files WHERE problem != ''"))

    def add(self, key: str, passages: Sequence[Passage], vectors: Sequence[int], problem: str) -> None:
        """vectors: how many each passage has."""
        first = passages[0]
        tags = json.dumps(first.tags, ensure_ascii=False)
        self._base.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)", (key, first.source, first.category, first.title, tags, problem))
        for number, (passage, count) in enumerate(zip(passages, vectors, strict=True)):
            facts = (key, number, passage.section, passage.heading, passage.text, count)
            row = self._base.execute(
                "INSERT INTO passages(file, number, section, heading, text, vectors) VALUES (?, ?, ?, ?, ?, ?)", facts
            ).lastrowid
            self._base.execute(INDEX_WORDS, (row, *columns(passage)))

    def remove(self, key: str) -> list[str]:
        """Takes a file out; the names of its vectors."""
        shown = self._base.execute(f"SELECT p.row, p.number, p.vectors, {FACTS} {FROM} WHERE p.file = ?", (key,)).fetchall()
        names = []
        for row, number, count, *facts in shown:
            names += vector_names(f"{key}:{number}", count)
            # A table without content is told what to forget.
            self._base.execute(FORGET_WORDS, (row, *columns(_passage(facts))))
        self._base.execute("DELETE FROM passages WHERE file = ?", (key,))
        self._base.execute("DELETE FROM files WHERE key = ?", (key,))
        return names

    def finish(self) -> tuple[int, int]:
        """Counts the terms and closes. (passages, vectors)."""
        self._base.execute("COMMIT")
        self._base.executescript(TERMS)
        passages, vectors = self._base.execute("SELECT count(*), total(vectors) FROM passages").fetchone()
        self.close()
        return passages, int(vectors)

    def close(self) -> None:
        self._base.close()


@dataclass(frozen=True)
class Catalogue:
    """An open catalogue, read only. Safe to use from several threads."""

    base: sqlite3.Connection = field(repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def passages(self, ids: Iterable[str]) -> dict[str, Passage]:
        """id -> passage, of those that are there, in the order asked for."""
        found = dict[str, Passage]()
        for name in ids:
            rows = self._ask(f"SELECT {FACTS} {FROM} WHERE p.file = ? AND p.number = ?", _place(name))
            found |= {row[0]: _passage(row) for row in rows}
        return found

    def file(self, key: str) -> list[Passage]:
        """The passages of a file, in their order."""
        return [_passage(row) for row in self._ask(f"SELECT {FACTS} {FROM} WHERE p.file = ? ORDER BY p.number", (key,))]

    def every(self) -> list[Passage]:
        """All passages, each file's in their order."""
        return [_passage(row) for row in self._ask(f"SELECT {FACTS} {FROM} ORDER BY p.file, p.number", ())]

    def beside(self, name: str, reach: int) -> list[str]:
        """The ids of the passages of the same section that stand up to `reach` places before and after this one, in their order."""
        key, number = _place(name)
        question = (
            "SELECT file || ':' || number FROM passages WHERE file = :key AND number BETWEEN :number - :reach AND :number + :reach "
            "AND number != :number AND section = (SELECT section FROM passages WHERE file = :key AND number = :number) ORDER BY number"
        )
        return [row[0] for row in self._ask(question, {"key": key, "number": number, "reach": reach})]

    def vector_names(self, name: str) -> list[str]:
        ((count,),) = self._ask("SELECT vectors FROM passages WHERE file = ? AND number = ?", _place(name))
        return vector_names(name, count)

    def ranked(self, asked: Sequence[str], wanted: int, only: Filter) -> list[str]:
        """The ids of the passages that BM25 puts first for these terms, at most `wanted`."""
        seldom = self._seldom(asked)
        if not seldom:
            return []
        where, values = _where(only)
        question = f"SELECT {FACTS} {FROM} JOIN words ON words.rowid = p.row WHERE words MATCH ?{where} ORDER BY {RANK} LIMIT ?"
        return [row[0] for row in self._ask(question, (match_any(seldom), *values, wanted))]

    def names(self, asked: Sequence[str]) -> set[str]:
        """Those of the terms that the lore uses as names.

        A name is written large in the middle of sentences or in a title, and next to never small. Where the script has no
        capitals it is what stands in a title or a tag.
        """
        found = set()
        for term, _, title, heading, names, starts, body in self._counts(asked):
            large = names or title
            if (is_wide(term) and (title or heading)) or (not is_wide(term) and large and body * 20 <= names + starts):
                found.add(term)
        return found

    def allowed(self, keys: Iterable[str], only: Filter) -> set[str]:
        """Those of the files that a resolved filter lets through."""
        where, values = _where(only)
        return {row[0] for row in self._ask(ALLOWED + where, (json.dumps(list(keys)), *values))}

    def sources(self, wanted: Sequence[str]) -> list[str]:
        """The sources that these paths, folders and patterns mean."""
        patterns = [f"{name}*" if name.endswith("/") else name for name in wanted]
        every = [row[0] for row in self._ask("SELECT DISTINCT source FROM files", ())]
        return [source for source in every if any(source == name or fnmatch.fnmatchcase(source, name) for name in patterns)]

    def resolved(self, only: Filter) -> Filter:
        """The filter with its sources spelt out; a filter that no source fits keeps one that does not exist."""
        return Filter(only.categories, tuple(self.sources(only.sources)) or ("",), only.tags) if only.sources else only

    def close(self) -> None:
        self.base.close()

    def _seldom(self, asked: Sequence[str]) -> list[str]:
        """The rarest of the terms, as long as together they stand in few enough passages to be ranked at once."""
        kept, postings = list[str](), 0
        for term, count, *_ in sorted(self._counts(asked), key=lambda row: row[1]):
            postings += count
            if kept and postings > MOST_POSTINGS:
                break
            kept.append(term)
        return kept

    def _counts(self, asked: Sequence[str]) -> list[Any]:
        return self._ask("SELECT * FROM terms WHERE term IN (SELECT value FROM json_each(?))", (json.dumps(asked),)) if asked else []

    def _ask(self, question: str, values: Any) -> list[Any]:
        with self.lock:
            return self.base.execute(question, values).fetchall()


def open_catalogue(folder: Path) -> Catalogue:
    """Raises sqlite3.Error when it is not there or is none."""
    # Finished indexes never change: no lock is taken, and a folder that may not be written is enough.
    base = sqlite3.connect(f"file:{quote(str(folder / FILE))}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    base.execute("SELECT 1 FROM terms LIMIT 1")
    return Catalogue(base)


def vector_names(name: str, count: int) -> list[str]:
    """What a passage's vectors are called: the first as the passage, its others `FILE:NUMBER.1`, `FILE:NUMBER.2` …"""
    return [name, *(f"{name}.{part}" for part in range(1, count))]


def row_names(key: str, owners: Sequence[int]) -> list[str]:
    """What a file's vectors are called. owners: for each the number of its passage."""
    seen: dict[int, int] = {}
    names = []
    for owner in owners:
        count = seen.get(owner, 0)
        seen[owner] = count + 1
        names.append(f"{key}:{owner}.{count}" if count else f"{key}:{owner}")
    return names


def _place(name: str) -> tuple[str, int]:
    key, _, number = name.partition(":")
    return key, int(number)


def _passage(row: Sequence[Any]) -> Passage:
    _, text, source, category, title, heading, tags, section = row
    return Passage(text, source, category, title, heading, tuple(json.loads(tags)), section)


def _where(only: Filter) -> tuple[str, list[str]]:
    """The SQL for a resolved filter, to be put behind a condition, and its values."""
    conditions = [
        (" AND f.category IN (SELECT value FROM json_each(?))", only.categories),
        (" AND f.source IN (SELECT value FROM json_each(?))", only.sources),
        (" AND EXISTS (SELECT 1 FROM json_each(f.tags) WHERE value IN (SELECT value FROM json_each(?)))", only.tags),
    ]
    given = [(text, json.dumps(wanted)) for text, wanted in conditions if wanted]
    return "".join(text for text, _ in given), [values for _, values in given]
