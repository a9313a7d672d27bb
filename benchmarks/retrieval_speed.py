#!/usr/bin/env python3
"""Times ingest and retrieval: questions to a large index, ingest beside the bare encoder, an unchanged tree.

    python benchmarks/retrieval_speed.py [--chunks 50000] [--questions 300] [--passages 600] [--files 10000] [--rounds 3]

Run it with the core environment. Writes benchmarks/results/retrieval.md. The large index has made passages, found by words as they
are and by vectors of which 60,000 are the packaged model's and the others lie between two of these; each question is embedded by the
packaged model, as the proxy does it.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import yaml

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "src"))

from made_lore import made_lore  # noqa: E402

from lorewright.data.extract import Work  # noqa: E402
from lorewright.rag.chunk import Cut, Passage, searchable  # noqa: E402
from lorewright.rag.embed import Embedder, Vectors, load_embedder  # noqa: E402
from lorewright.rag.ingest import Order, make_index  # noqa: E402
from lorewright.rag.lore_files import READING, lore_files  # noqa: E402
from lorewright.rag.retrieve import Search, retrieve  # noqa: E402
from lorewright.rag.store import Index, open_index, write_index  # noqa: E402

MODEL = "all-MiniLM-L6-v2"
EMBEDDED = 60_000  # texts of the large index whose vectors are the model's own: a minute or two
WANTED = {"p50": 20.0, "p95": 50.0}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--chunks", type=int, default=50_000)
    asked.add_argument("--questions", type=int, default=300)
    asked.add_argument("--passages", type=int, default=600, help="of the lore that is ingested with the real model")
    asked.add_argument("--files", type=int, default=10_000, help="of the unchanged tree")
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--out", type=Path, default=REPO / "benchmarks" / "results" / "retrieval.md")
    given = asked.parse_args()
    load = os.getloadavg()[0]
    embedder = load_embedder(MODEL)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        lines = retrieval(place, load_embedder(MODEL, "auto"), given.chunks, given.questions)
        lines += ingest(place, embedder, given.passages, given.rounds)
        lines += unchanged(place, given.files, given.rounds)
    machine = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    about = f"{time.strftime('%Y-%m-%d')}, {machine}, load {load:.1f} before."
    given.out.write_text("\n".join(["## retrieval_speed", "", about, "", *lines]) + "\n", encoding="utf-8")
    print(given.out.read_text(encoding="utf-8"))


def retrieval(place: Path, embedder: Embedder, chunks: int, questions: int) -> list[str]:
    """Milliseconds of a question, in parts and as a whole, with and without a filter."""
    passages = made_lore(chunks, sentences=3)
    texts, owners = searchable(passages)
    vectors = _vectors(embedder, texts)
    begun = time.perf_counter()
    write_index(place / "large", passages, vectors, {"embedding_model": MODEL}, owners)
    written = time.perf_counter() - begun
    index = open_index(place / "large")
    asked = _questions(passages, questions)
    for question in asked[:10]:
        retrieve(index, embedder, question, Search())
    rows = [("a question", _all(index, embedder, asked, Search(max_distance=0.7, per_source=3)))]
    rows.append(("a question, by meaning alone", _all(index, embedder, asked, Search(max_distance=0.7, lexical=False))))
    rows.append(("a question, with neighbours", _all(index, embedder, asked, Search(max_distance=0.7, neighbours=1))))
    rows.append(("a question, of one category", _all(index, embedder, asked[:30], Search(max_distance=0.7, categories=("made",)))))
    rows.append(("embedding the question alone", [_milliseconds(lambda text=text: embedder.query(text)) for text in asked]))
    index.close()
    true = min(EMBEDDED, len(texts))
    p50, p95 = _quantile(rows[0][1], 0.5), _quantile(rows[0][1], 0.95)
    met = "met" if p50 <= WANTED["p50"] and p95 <= WANTED["p95"] else "**missed**"
    size = sum(file.stat().st_size for file in (place / "large").rglob("*") if file.is_file()) / 1e6
    return [
        f"{chunks:,} passages, {len(texts):,} vectors of {embedder.dimension} ({true:,} of them embedded); written in {written:.0f} s "
        f"({len(texts) / written:,.0f} vectors/s), {size:,.0f} MB.",
        "", "| milliseconds | p50 | p95 | most |", "|---|---|---|---|",
        *(f"| {name} | {_quantile(times, 0.5):.1f} | {_quantile(times, 0.95):.1f} | {max(times):.1f} |" for name, times in rows),
        "", f"- to reach: p50 {WANTED['p50']:.0f} ms, p95 {WANTED['p95']:.0f} ms: {met}",
    ]  # fmt: skip


def _vectors(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Of the first texts as the model has them; each other one stands between two of these, as texts do that are alike."""
    true = embedder.passages(texts[:EMBEDDED])
    draw = np.random.default_rng(1)
    one, other = draw.integers(0, len(true), (2, len(texts) - len(true)))
    between = true[one] + 0.7 * true[other]
    return np.concatenate([true, between / np.linalg.norm(between, axis=1, keepdims=True)])


def ingest(place: Path, embedder: Embedder, passages: int, rounds: int) -> list[str]:
    """Texts a second of a whole ingest and of the model alone on the same texts, taking turns."""
    lore = place / "lore"
    lore.mkdir()
    made = made_lore(passages, seed=3)
    for number in range(0, len(made), 20):
        parts = [f"## {one.heading}\n\n{one.text.partition(chr(10) * 2)[2]}" for one in made[number : number + 20]]
        (lore / f"{number // 20}.md").write_text("\n\n".join([f"# Roll {number // 20}", *parts]), encoding="utf-8")
    texts = searchable(made)[0]
    fast = load_embedder(MODEL, "auto")
    taken: dict[str, list[float]] = {"ingest": [], "bare": [], "bare, same precision": []}
    for number in range(rounds):
        taken["bare"].append(_milliseconds(lambda: _encode(embedder, texts)) / 1000)
        taken["bare, same precision"].append(_milliseconds(lambda: _encode(fast, texts)) / 1000)
        taken["ingest"].append(_milliseconds(lambda number=number: _ingest(place, lore, fast, number)) / 1000)
    rate, bare, same = (len(texts) / statistics.median(taken[name]) for name in ("ingest", "bare", "bare, same precision"))
    said = "met" if rate >= 0.9 * same else "**missed**"
    return [
        f"- ingest of {len(texts):,} texts, passages and their sentences: {rate:.0f}/s in {fast.precision}; the bare encoder "
        f"(sentence-transformers) so {same:.0f}/s; ingest is {rate / same:.0%} of that (at least 90 %: {said})",
        f"- the bare encoder in float32: {bare:.0f}/s; in {fast.precision} it is {same / bare:.1f} times as fast, "
        f"and ingest {rate / bare:.1f} times",
    ]


def _encode(embedder: Embedder, texts: Sequence[str]) -> None:
    embedder.model.encode(list(texts), batch_size=64, show_progress_bar=False, normalize_embeddings=True)


def _ingest(place: Path, lore: Path, embedder: Embedder, number: int) -> None:
    folder = place / f"ingest{number}"
    files, _ = lore_files([str(lore)], lambda file: file.name)
    order = Order(files, Cut(180), {"embedding_model": MODEL}, lambda: embedder, folder / "journal", Work(folder, READING, folder / "log"))
    make_index(folder / "index", order, None, lambda done, total, note: None)


def unchanged(place: Path, count: int, rounds: int) -> list[str]:
    """Seconds of `lorewright ingest` on a tree that has not changed, and on one in which one file has."""
    lore = place / "tree"
    for number in range(count):
        file = lore / f"{number // 100:03d}" / f"{number}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# Day {number}\n\nOn day {number} nothing was written down.", encoding="utf-8")
    recipe = place / "speed.yaml"
    rag = {"sources": [str(lore)], "collection": "speed"}
    recipe.write_text(yaml.safe_dump({"recipe": "speed", "base_model": str(REPO / "models" / "starter"), "rag": rag}))
    _call(place, recipe, RANDOM)
    seconds = [_milliseconds(lambda: _call(place, recipe, PLAIN)) / 1000 for _ in range(rounds)]
    (lore / "000" / "0.md").write_text("# Day 0\n\nThe pen was found.", encoding="utf-8")
    one = _milliseconds(lambda: _call(place, recipe, RANDOM)) / 1000
    taken = statistics.median(seconds)
    return [
        f"- {count:,} unchanged files, the whole command: {taken:.2f} s (at most 2: {'met' if taken <= 2 else '**missed**'}); "
        f"one of them changed, without the model's own time: {one:.1f} s"
    ]  # fmt: skip


PLAIN = "import sys; from lorewright.cli import main; sys.exit(main(sys.argv[1:]))"
RANDOM = """
import sys
import numpy as np
from lorewright.cli import main
from lorewright.stages import ingest

class Random:
    name, dimension = "random", 384
    def passages(self, texts):
        return np.random.default_rng(len(texts)).standard_normal((len(texts), 384), dtype=np.float32)

ingest.load_embedder = lambda *asked: Random()
sys.exit(main(sys.argv[1:]))
"""


def _call(place: Path, recipe: Path, program: str) -> None:
    settings = os.environ | {"LOREWRIGHT_RUNS": str(place / "runs"), "PYTHONPATH": str(REPO / "src")}
    done = subprocess.run([sys.executable, "-c", program, "ingest", str(recipe)], env=settings, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-2000:])


def _questions(passages: Sequence[Passage], count: int) -> list[str]:
    """Half about somebody by name, half about things; of the length that people write, and some as long as a scene."""
    draw = random.Random(5)
    asked = []
    for number in range(count):
        passage = draw.choice(passages)
        text = passage.text.partition("\n\n")[2]
        named = f"What do you know about {passage.heading}? I would like to hear of it."
        asked.append(text if number % 10 == 0 else named if number % 2 else f"Tell me: {text.split('.')[0].lower()}?")
    return asked


def _all(index: Index, embedder: Embedder, asked: Sequence[str], search: Search) -> list[float]:
    return [_milliseconds(lambda text=text: retrieve(index, embedder, text, search)) for text in asked]


def _milliseconds(do: Callable[[], object]) -> float:
    begun = time.perf_counter()
    do()
    return (time.perf_counter() - begun) * 1000


def _quantile(times: Sequence[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


if __name__ == "__main__":
    main()
