"""P1 for a whole book in PDF: nothing of its front and back matter is trained on, and nothing of its text is lost."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.made_pdfs import texts
from lorewright.runner import Choice, execute
from lorewright.stages import Run
from tests.pdf_book import CHAPTERS, RIGHTS, pdf_book


@pytest.mark.req("P1")
@pytest.mark.parametrize(("dots", "size"), [(True, 9.0), (False, 8.5), (True, 10.5)])
def test_no_page_of_contents_notes_or_index_is_trained_on(
    dots: bool, size: float, make_recipe, run_of: Callable[..., Run], fake_tools: Path, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    prose = [text for text in texts(Path(__file__).parents[2] / "fine-tuning" / "data" / "raw") if not text.startswith("#")][:120]
    pdf_book(tmp_path / "book.pdf", prose, dots=dots, size=size)
    file = make_recipe(
        data={"sources": ["book.pdf"], "format": "completion", "validation": 0, "chunk": {"unit": "words", "min": 40, "max": 200},
              "clean": {"duplicates": False}}
    )  # fmt: skip
    run = run_of(file)
    execute(run, Choice(only=("extract", "prepare")))
    examples = (run.done["prepare"] / "training.jsonl").read_text(encoding="utf-8").splitlines()
    got = "\n".join(" ".join(m["content"] for m in json.loads(line)["messages"] if m["role"] != "system") for line in examples)
    for foreign in ("Zettel", "Contents", "Bibliography", "Index", "Quay Press", "ISBN", *RIGHTS, "see also", ". . ."):
        assert foreign not in got
    source, trained = " ".join(prose).split(), got.split()
    same = sum(block.size for block in difflib.SequenceMatcher(None, source, trained, autojunk=False).get_matching_blocks())
    assert same > 0.99 * len(source)
    listed = [json.loads(line) for line in (run.done["prepare"] / "removals.jsonl").read_text(encoding="utf-8").splitlines()]
    headings = [entry["text"].lstrip("# ") for entry in listed if entry["kind"] == "heading"]
    assert [text for text in headings if text in CHAPTERS] == list(CHAPTERS), "each chapter's own heading parts the text"
    assert {"title page", "copyright", "contents", "notes", "bibliography", "index"} <= {entry["kind"] for entry in listed}
