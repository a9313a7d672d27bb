#!/usr/bin/env python3
"""Times cleaning and splitting of plain text, and beside it langchain-text-splitters, which only splits.

    python benchmarks/data_speed.py BOOKS MODEL [--peer PYTHON] [--runs 5] [--gigabytes 1]

BOOKS: a folder of .txt files. MODEL: a folder with tokenizer.json. PYTHON: an interpreter that has langchain-text-splitters and tokenizers.
Every run is a process of its own and the ways take turns; writes benchmarks/results/data_speed.md. Run it with the core environment.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
MODES = {
    "characters": ("characters", 500, 2000, 200, 0.0, 20),
    "words": ("words", 350, 1400, 0, 0.0, 20),
    "tokens": ("tokens", 500, 2000, 0, 0.0, 6),
    "words, near duplicates sought": ("words", 350, 1400, 0, 0.8, 4),
    "tokens, near duplicates sought": ("tokens", 500, 2000, 0, 0.8, 4),
}
PEER = """
import json, sys, time
from langchain_text_splitters import RecursiveCharacterTextSplitter
unit, most, overlap, model, files = json.loads(sys.argv[1])
length = len
if unit == "words": length = lambda text: len(text.split())
if unit == "tokens":
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(model + "/tokenizer.json")
    length = lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
splitter = RecursiveCharacterTextSplitter(chunk_size=most, chunk_overlap=overlap, length_function=length)
begun = time.perf_counter()
count = sum(len(splitter.split_text(open(file, encoding="utf-8").read())) for file in files)
print(json.dumps([time.perf_counter() - begun, count, 0]))
"""


def own(mode: str, model: str, files: list[str]) -> tuple[float, int, int]:
    """(seconds, passages, peak memory in KiB with the largest helper) of cleaning and splitting the files, passages spooled."""
    sys.path.insert(0, str(REPO / "src"))
    import resource
    from dataclasses import replace

    from lorewright.data.clean_and_cut import clean_and_cut
    from lorewright.data.cutting import Cuts, Cutting
    from lorewright.data.documents import Document
    from lorewright.data.removals import Removals
    from lorewright.recipe import Chunk, Clean, load

    unit, least, most, overlap, near, _ = MODES[mode]
    data = load(REPO / "configs" / "starter.yaml").data
    assert data
    data = replace(data, clean=Clean(True, True, True, True, near), chunk=Chunk(unit, least, most, overlap))
    found = [Document(file, Path(file), Path(file).stat().st_size, "") for file in files]
    with tempfile.TemporaryDirectory() as folder:
        begun, place = time.perf_counter(), Path(folder)
        with open(place / "removals.jsonl", "w") as listed:
            sizes = sum(document.size for document in found)
            with Cutting(Cuts(data.chunk, model, headings=False), place, sizes, len(found)) as cutting:
                clean_and_cut(found, data, cutting, Removals(listed), place, lambda *told: None)
                count, seconds = len(cutting.places), time.perf_counter() - begun
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        return seconds, count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + children


def process(*words: str) -> tuple[float, int, int]:
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"TOKENIZERS_PARALLELISM": "true"})
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    seconds, count, memory = json.loads(done.stdout.splitlines()[-1])
    return seconds, count, memory


def rows(files: list[str], model: str, peer: str, runs: int) -> list[str]:
    size = sum(Path(file).stat().st_size for file in files) / 1e6
    lines = []
    for mode, (unit, _, most, overlap, near, wanted) in MODES.items():
        ours, theirs = [], []
        for _ in range(runs):
            ours.append(process(sys.executable, __file__, "--one", json.dumps([mode, model, files])))
            if peer and not near:
                theirs.append(process(peer, "-c", PEER, json.dumps([unit, most, overlap, model, files])))
        speeds = [size / seconds for seconds, _, _ in ours]
        middle = statistics.median(speeds)
        beside = f"{statistics.median(size / seconds for seconds, _, _ in theirs):.1f}" if theirs else ""
        verdict = "met" if middle >= wanted else "**missed**"
        lines.append(
            f"| {mode} | {middle:.1f} | {min(speeds):.1f} to {max(speeds):.1f} | {ours[0][1]:,} | {beside} | {wanted}: {verdict} |"
        )
        print(lines[-1], flush=True)
    return lines


def memory(files: list[str], model: str, gigabytes: float) -> list[str]:
    """One text of that size, as the recipe's defaults have it and without near duplicates sought."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "big.txt"
        written = large_text(target, files, gigabytes)
        for mode in ("words", "words, near duplicates sought"):
            seconds, count, peak = process(sys.executable, __file__, "--one", json.dumps([mode, model, [str(target)]]))
            verdict = "met" if peak / 1024 <= 500 else "**missed**"
            said = f"{count:,} passages in {seconds:.0f} s, peak memory {peak / 1024:.0f} MiB (at most 500: {verdict})"
            lines.append(f"- one text of {written / 1e9:.2f} GB ({mode}): {said}")
            print(lines[-1], flush=True)
    return lines


def large_text(target: Path, files: list[str], gigabytes: float) -> int:
    """The books again and again, the words of every paragraph in a new order, so that no paragraph is like another. Its bytes."""
    order, written = random.Random(1), 0
    with open(target, "w", encoding="utf-8") as big:
        while written < gigabytes * 1e9:
            for file in files:
                for paragraph in Path(file).read_text(encoding="utf-8").split("\n\n"):
                    words = paragraph.split()
                    order.shuffle(words)
                    written += big.write(" ".join(words) + "\n\n")
                if written >= gigabytes * 1e9:
                    break
    return target.stat().st_size


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(own(*json.loads(sys.argv[2]))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("books", type=Path)
    parser.add_argument("model")
    parser.add_argument("--peer", default="")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--books-used", type=int, default=1000)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    given = parser.parse_args()
    given.model = str(Path(given.model).resolve())
    files = [str(file) for file in sorted(given.books.glob("*.txt"))[: given.books_used]]
    size = sum(Path(file).stat().st_size for file in files) / 1e6
    load = os.getloadavg()[0]
    machine = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    head = f"{time.strftime('%Y-%m-%d')}, {machine}, load {load:.1f} before."
    lines = [f"{head} {len(files)} books, {size:.1f} MB; MB/s, median of {given.runs}, each a new process.", ""]
    lines += [
        "| by | cleaned and split | least to most | passages | langchain-text-splitters, split only | to reach |",
        "|---|---|---|---|---|---|",
    ]
    lines += rows(files, given.model, given.peer, given.runs)
    if given.gigabytes:
        lines += ["", *memory(files, given.model, given.gigabytes)]
    text = "## data_speed\n\n" + "\n".join(lines) + "\n"
    (REPO / "benchmarks" / "results" / "data_speed.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
