"""The ledger with real Axolotl: what it keeps, cuts and drops is found line by line, and a bad mask ends the run before training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lorewright import process
from lorewright.cli import main
from lorewright.errors import LorewrightError
from lorewright.preflight.checks import of_training
from lorewright.preflight.ledger import ledger
from lorewright.preflight.wanted import wanted_by
from lorewright.runner import Choice, execute
from lorewright.stages import Run
from tests.warm import Warm

pytestmark = pytest.mark.real
AXOLOTL = {"adapter": "lora", "lora_r": 8, "lora_alpha": 16, "lora_target_linear": True, "micro_batch_size": 2, "num_epochs": 2, "sequence_len": 128, "learning_rate": 1e-4, "optimizer": "adamw_torch"}  # fmt: skip
LONG = "The tide came in over the slip and went out again. Nobody had asked it to. " * 12


@pytest.fixture(autouse=True)
def loaded_once(warm_axolotl: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger's worker runs in a Python that has loaded Axolotl; the quickstart's tests start it as users do."""

    def run(command: list[str], *, environment: object, log: Path, folder: Path, on_line: object) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        if warm_axolotl.run(command[1:], folder, log):
            raise process.failure("the ledger's worker failed", log)

    monkeypatch.setattr(process, "run", run)


@pytest.fixture
def recipe(make_recipe: Callable[..., Path], tiny_model: Path, tmp_path: Path) -> Callable[..., Path]:
    """A recipe of rows of question and answer, the given ones long."""

    def make(long: tuple[int, ...] = (), count: int = 30, **axolotl: Any) -> Path:
        rows = [{"question": f"What of bell {n}?", "answer": f"Bell {n} rang. {LONG if n in long else ''}"} for n in range(count)]
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        data = {"sources": ["rows.jsonl"], "format": "qa", "validation": 0.1, "system_prompt": "You keep the bells.", "max_dropped": 0.1}
        return make_recipe(base_model=str(tiny_model), data=data, axolotl=AXOLOTL | axolotl)

    return make


def samples(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.done["ledger"] / "samples.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.req("P4", "F3")
def test_kept_dropped_and_cut_samples_are_found(recipe: Callable[..., Path], run_of: Callable[..., Run]) -> None:
    run = run_of(recipe(long=(3,)))
    execute(run, Choice(only=("prepare",)))
    found = samples(run)
    lines = (run.done["prepare"] / "training.jsonl").read_text(encoding="utf-8").splitlines()
    training = [one for one in found if one["split"] == "training"]
    assert [one["line"] for one in training] == list(range(1, len(lines) + 1))
    assert [one["fate"] for one in training].count("dropped") == sum(LONG[:40] in line for line in lines) == 1
    for one, line in zip(training, lines, strict=True):
        answer = json.loads(line)["messages"][-1]["content"]
        assert [text for trained, text in one["spans"] if trained] == [f"{answer}<|im_end|>"]
        assert one["spans"][0][1].endswith("<|im_start|>assistant\n")
    ledger = json.loads((run.done["ledger"] / "ledger.json").read_text())
    assert ledger["opening"] == "<|im_start|>assistant\n"
    assert ledger["training"]["tokens"] == sum(one["tokens"] for one in training if one["fate"] == "kept")
    assert (run.done["ledger"] / "report.html").exists()

    cut = run_of(recipe(long=(3,), excess_length_strategy="truncate"))
    execute(cut, Choice(only=("prepare",)))
    (shortened,) = [one for one in samples(cut) if one["fate"] == "truncated"]
    assert (shortened["tokens"], shortened["length"] > 128) == (128, True)
    assert not [one for one in samples(cut) if one["fate"] == "dropped"]


@pytest.mark.req("P4", "P5")
def test_a_set_that_would_waste_the_night_is_refused(recipe: Callable[..., Path], run_of: Callable[..., Run], tmp_path: Path) -> None:
    with pytest.raises(
        LorewrightError, match=r"Axolotl drops \d+ of \d+ training samples \(\d+.\d%; 10.0% are allowed\).*line \d+ \(rows.jsonl"
    ):
        execute(run_of(recipe(long=tuple(range(8)))), Choice(only=("prepare",)))
    with pytest.raises(LorewrightError, match=r"Axolotl drops 27 of 27 training samples"):
        execute(run_of(recipe(long=tuple(range(30)))), Choice(only=("prepare",)))
    (tmp_path / "shouting.jinja").write_text(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | upper if m.role == 'assistant' else m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    run = run_of(recipe(), f"chat_template={tmp_path / 'shouting.jinja'}")
    with pytest.raises(LorewrightError, match="in 27 of 27 training samples.*chat_template whose answers stand as they are") as refused:
        execute(run, Choice(only=("prepare",)))
    wanted = wanted_by(run.recipe, run.plan, run.paths, "cpu")
    assert wanted
    found = ledger(wanted)
    assert (found.state, found.said, found.remedy) == ("bad", refused.value.what, refused.value.remedy), "doctor says it again"


@pytest.mark.req("Z3")
def test_plain_text_wants_no_template_of_the_model(
    make_recipe: Callable[..., Path], run_of: Callable[..., Run], tiny_model: Path, tmp_path: Path
) -> None:
    """A base model that was never taught to chat."""
    model = Path(shutil.copytree(tiny_model, tmp_path / "plain"))
    (model / "chat_template.jinja").unlink()
    rows = [{"prompt": f"What of bell {n}?", "completion": f"Bell {n} rang."} for n in range(12)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    data = {"sources": ["rows.jsonl"], "format": "pairs", "validation": 0.1, "pairs": {"max_tokens": 128, "context_keep": 16}}
    run = run_of(make_recipe(base_model=str(model), data=data, axolotl=AXOLOTL))
    execute(run, Choice(only=("prepare",)))
    assert {one["fate"] for one in samples(run)} == {"kept"}
    wanted = wanted_by(run.recipe, run.plan, run.paths, "cpu")
    assert wanted
    assert "bad" not in [found.state for found in of_training(wanted)]


@pytest.mark.req("P4")
def test_a_cut_that_leaves_nothing_to_train_is_an_error_and_can_be_looked_at(
    recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = f"data.system_prompt={'Keep every bell of the town in mind. ' * 40}"
    words = ["prepare", str(recipe(excess_length_strategy="truncate")), "--runs", str(tmp_path / "runs"), "--set", long, "--show", "1"]
    assert main(words) == 1
    shown = capsys.readouterr()
    assert "no token is trained in 27 of 27 training samples: line 1 (rows.jsonl), " in shown.err
    assert "128 of" in shown.out and "0 trained, truncated, no token is trained" in shown.out


def test_one_sample_is_shown(recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", str(recipe()), "--runs", str(tmp_path / "runs"), "--show", "2"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("training 2, rows.jsonl: ")
    assert "<|im_start|>system\nYou keep the bells.<|im_end|>" in shown
    assert "<|im_start|>assistant\n⟦Bell " in shown
    assert shown.rstrip().endswith("<|im_end|>⟧")
