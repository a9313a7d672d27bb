"""The whole stage: its files, its record of removals, its draw, and that a big text needs little memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lorewright.errors import LorewrightError
from lorewright.runner import Choice, execute
from lorewright.stages import Run


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def story(chapters: int, scenes: int = 4) -> str:
    """A manuscript of which no two sentences are the same."""
    return "\n\n".join(
        f"Chapter {chapter}\n\n"
        + "\n\n* * *\n\n".join(
            " ".join(
                f"Bell {chapter * 1000 + scene * 100 + n} rang over yard number {n} of street {scene} and was not heard." for n in range(6)
            )
            for scene in range(scenes)
        )
        for chapter in range(1, chapters + 1)
    )


def prepared(run_of: Callable[..., Run], file: Path, *overrides: str) -> Path:
    run = run_of(file, *overrides)
    execute(run, Choice(only=("prepare",)))
    return run.done["prepare"]


@pytest.mark.req("F3", "S2")
def test_a_single_manuscript_is_split_without_a_leak(make_recipe, run_of: Callable[..., Run], fake_tools: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "manuscript.txt").write_text(story(10), encoding="utf-8")
    file = make_recipe(data={"sources": ["manuscript.txt"], "chunk": {"unit": "words", "min": 40, "max": 80, "overlap": 20}})
    folder = prepared(run_of, file)
    training, validation = lines(folder / "training.jsonl"), lines(folder / "validation.jsonl")

    def sentences(examples: list[dict[str, object]]) -> set[str]:
        return {s for e in examples for s in e["messages"][-1]["content"].replace("\n\n", " ").split(". ")}  # type: ignore[index]

    assert len(training) > 20 < len(training) + len(validation)
    assert validation
    assert not sentences(training) & sentences(validation)
    assert [entry["kind"] for entry in lines(folder / "removals.jsonl")] == ["heading"] * 10
    facts = json.loads((folder / "step.json").read_text())["facts"]
    assert facts["removed"] == {"heading": 10}
    again = {name: (folder / name).read_bytes() for name in ("training.jsonl", "validation.jsonl")}
    run = run_of(file)
    execute(run, Choice(only=("prepare",), force=True))
    assert again == {name: (run.done["prepare"] / name).read_bytes() for name in again}, "the same seed gives the same set"


@pytest.mark.req("S2")
def test_max_samples_is_a_seeded_draw(make_recipe, run_of: Callable[..., Run], fake_tools: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for name in range(8):
        (tmp_path / "texts").mkdir(exist_ok=True)
        (tmp_path / "texts" / f"{name}.txt").write_text(story(3).replace("Bell", f"Bell of house {name}"), encoding="utf-8")
    file = make_recipe()
    drawn = {}
    for seed in (1, 1, 2):
        folder = prepared(run_of, file, "data.max_samples=12", f"data.seed={seed}")
        examples = lines(folder / "training.jsonl") + lines(folder / "validation.jsonl")
        assert len(examples) == 12
        assert lines(folder / "validation.jsonl")
        places = [(example["document"], example["passage"]) for example in examples]
        assert drawn.setdefault(seed, places) == places
    assert drawn[1] != drawn[2]


def test_the_console_says_what_was_taken_out(
    make_recipe, run_of: Callable[..., Run], fake_tools: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "manuscript.txt").write_text(story(3) + "\n\nTODO: an end.", encoding="utf-8")
    file = make_recipe(data={"sources": ["manuscript.txt"], "chunk": {"unit": "words", "min": 40, "max": 80}})
    prepared(run_of, file)
    assert "prepare   taken out: 3 headings, 1 editing mark; removals.jsonl lists them" in capfd.readouterr().err


def test_a_text_of_which_nothing_is_left_is_told(make_recipe, run_of: Callable[..., Run], fake_tools: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "manuscript.txt").write_text("TODO: write it.", encoding="utf-8")
    with pytest.raises(LorewrightError, match="cleaning left no text to train on"):
        prepared(run_of, make_recipe(data={"sources": ["manuscript.txt"], "chunk": {"unit": "words", "min": 40, "max": 80}}))
