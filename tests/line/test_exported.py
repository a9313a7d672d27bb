"""The line's merged model as GGUF, with real llama.cpp: it chats, and finds likely what transformers does."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lorewright import envs, process
from lorewright.errors import LorewrightError
from lorewright.models.export.tools import Place, convert, describe, observe_gguf
from lorewright.recipe.gguf_types import TYPES, WITH_MATRIX
from tests.line.conftest import Line, call, overrides

pytestmark = pytest.mark.real

EXPORTED = ("F16", "Q8_0", "Q4_K_M")
QUESTIONS, ANSWER = 8, 150  # held-out examples; characters of each one's answer


@dataclass(frozen=True)
class Exported:
    """folder: of the files. said: what the command printed. asked, seen: the questions, and what transformers finds likely."""

    folder: Path
    model: Path
    said: str
    asked: Path
    seen: list[dict[str, Any]]


@pytest.fixture(scope="module")
def exported(line: Line, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    words = ["--gguf", ",".join(EXPORTED), "--ollama", "marrable", *overrides(line.ports)]
    done = call("./lorewright", "export", "configs/starter.yaml", *words, runs=line.runs)
    assert done.returncode == 0, done.stderr
    model, here = line.latest("merge") / "merged", tmp_path_factory.mktemp("likely")
    _ask(line.latest("prepare") / "validation.jsonl", here / "asked.jsonl")
    train = envs.ensure("train")
    script = Path(__file__).with_name("likeliest.py")
    subprocess.run(
        [train.python, str(script), str(model), str(here / "asked.jsonl"), str(here / "seen.jsonl")], check=True, capture_output=True,
        env=process.tool_environment(train, {"HF_HUB_OFFLINE": "1"}),
    )  # fmt: skip
    return Exported(line.latest("export"), model, done.stderr, here / "asked.jsonl", _read(here / "seen.jsonl"))


def _ask(validation: Path, asked: Path) -> None:
    rows = [json.loads(line)["messages"] for line in validation.read_text(encoding="utf-8").splitlines()][:QUESTIONS]
    questions = [{"messages": row[:-1], "text": None, "answer": row[-1]["content"][:ANSWER]} for row in rows]
    questions.append({"messages": None, "text": "The bell rang  twice — “late”, 海 said", "answer": " Casimir"})
    lines = [json.dumps({"id": f"p{number}", "top": 20} | question) for number, question in enumerate(questions)]
    asked.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.req("S4")
def test_each_file_chats_and_the_merge_is_not_made_again(exported: Exported) -> None:
    assert "merge     unchanged, skipped" in exported.said
    answers = json.loads((exported.folder / "lineage.json").read_text(encoding="utf-8"))["export"]["answers"]
    assert set(answers) == set(EXPORTED)
    assert all(len(answer.split()) > 3 for answer in answers.values()), answers
    sizes = [(exported.folder / f"starter-{kind}.gguf").stat().st_size for kind in EXPORTED]
    assert sizes[0] > 1.8 * sizes[1] > 2.5 * sizes[2]
    assert describe(exported.folder / "starter-F16.gguf", Place(exported.asked.with_name("log"), exported.asked.parent))["add_bos"] is False


@pytest.mark.req("S4")
def test_each_file_passes_the_gate_within_its_own_bound(exported: Exported, line: Line) -> None:
    seen = json.loads((line.latest("parity_exported") / "parity.json").read_text(encoding="utf-8"))
    kinds = {kind: seen[kind] for kind in EXPORTED}
    print({kind: (round(one["kl"], 5), round(one["top1"], 3)) for kind, one in kinds.items()})
    assert all(one["held"] and one["end"]["text"] == "<|im_end|>" and not one["differ"] for one in kinds.values())
    assert 0 <= kinds["F16"]["kl"] < 1e-3 < kinds["Q4_K_M"]["kl"] < kinds["Q4_K_M"]["bound"]["kl"]
    assert "Q4_K_M  6 of 6" in exported.said and exported.said.count("holds") >= 3


@pytest.mark.req("S4")
def test_a_file_beyond_its_bound_stops_and_names_the_export(exported: Exported, line: Line) -> None:
    words = ["--set", f"export.gguf=[{', '.join(EXPORTED)}]", "--set", "export.ollama=marrable", *overrides(line.ports)]
    narrow = ["--set", "parity.exported={kl: 0.001, top1: 0.9}"]
    done = call("./lorewright", "parity", "configs/starter.yaml", *words, *narrow, runs=line.runs)
    assert done.returncode == 1
    assert "what was exported as Q4_K_M is not what was trained, it broke in export (rounding)" in done.stderr, done.stderr


@pytest.mark.req("S4")
@pytest.mark.parametrize(("kind", "same", "divergence"), [("F16", 0.995, 1e-4), ("Q8_0", 0.93, 5e-3), ("Q4_K_M", 0.7, 0.1)])
def test_it_finds_likely_what_was_trained(exported: Exported, kind: str, same: float, divergence: float, tmp_path: Path) -> None:
    observe_gguf(exported.folder / f"starter-{kind}.gguf", exported.asked, tmp_path / "observed.jsonl", tmp_path / "log")
    found = _read(tmp_path / "observed.jsonl")
    assert [one["prompt_ids"] for one in found] == [one["prompt_ids"] for one in exported.seen]
    pairs = [
        pair for ours, theirs in zip(found, exported.seen, strict=True) for pair in zip(ours["positions"], theirs["positions"], strict=True)
    ]
    agree = sum(ours["ids"][0] == theirs["ids"][0] for ours, theirs in pairs) / len(pairs)
    mean = sum(_divergence(theirs, ours) for ours, theirs in pairs) / len(pairs)
    print(f"{kind}: {len(pairs)} positions, the likeliest is the same in {agree:.1%}, KL divergence {mean:.5f}")
    assert len(pairs) > 200
    assert agree >= same
    assert mean <= divergence


def _divergence(reference: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Kullback-Leibler divergence in nats, over the tokens that both name and all others together."""
    theirs = dict(zip(other["ids"], other["logprobs"], strict=True))
    known = [(value, theirs[token]) for token, value in zip(reference["ids"], reference["logprobs"], strict=True) if token in theirs]
    rest = [max(1e-12, 1 - sum(math.exp(pair[side]) for pair in known)) for side in (0, 1)]
    return sum(math.exp(p) * (p - q) for p, q in known) + rest[0] * math.log(rest[0] / rest[1])


def test_a_file_that_begins_texts_otherwise_is_seen(exported: Exported, tmp_path: Path) -> None:
    """What llama.cpp would take on its own for this tokenizer: it is why the converter is told."""
    place = Place(tmp_path / "log", tmp_path)
    convert(exported.model, "starter", tmp_path / "guessed.gguf", place, lambda done, total, note="": None)
    assert describe(tmp_path / "guessed.gguf", place)["add_bos"] is True
    observe_gguf(tmp_path / "guessed.gguf", exported.asked, tmp_path / "observed.jsonl", tmp_path / "log")
    assert [one["prompt_ids"] for one in _read(tmp_path / "observed.jsonl")] != [one["prompt_ids"] for one in exported.seen]


def test_a_tokenizer_that_llama_cpp_does_not_know_is_said(tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "tiny")
    with pytest.raises(LorewrightError, match="llama.cpp does not know this model's tokenizer"):
        convert(tmp_path / "tiny", "tiny", tmp_path / "tiny.gguf", Place(tmp_path / "log", tmp_path), lambda done, total, note="": None)
    assert not list(tmp_path.glob("*.gguf")) and not list(tmp_path.glob("WORK.*"))


def test_the_types_are_llama_cpps() -> None:
    code = "import llama_cpp, json; print(json.dumps({k: v for k, v in vars(llama_cpp).items() if k.startswith('LLAMA_FTYPE_')}))"
    done = subprocess.run([envs.ensure("export").python, "-c", code], check=True, capture_output=True, text=True)
    theirs = {
        name.removeprefix("LLAMA_FTYPE_").split("_", 1)[1]: number for name, number in json.loads(done.stdout).items() if number != 1024
    }
    assert theirs.pop("NVFP4"), "its quantiser does not write this one"
    assert {name: number for name, number in theirs.items() if name not in WITH_MATRIX} == TYPES
    assert set(WITH_MATRIX) <= set(theirs)
