"""Models that are broken on purpose, observed by transformers in the train environment: each is caught, and its cause named."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lorewright import envs, process
from lorewright.errors import LorewrightError
from lorewright.models.merge import check_whole
from lorewright.models.parity.compare import Bound, compare
from lorewright.models.parity.ends import End, known_ends
from lorewright.models.parity.judged import Side
from lorewright.models.parity.questions import Asking, write_questions
from lorewright.models.parity.told import told
from lorewright.models.weights import weights_of
from lorewright.progress import Console
from lorewright.stages.parity import WORKER
from tests.models.parity.zoo import ZOO, make

pytestmark = [pytest.mark.real, pytest.mark.req("F5")]
END = "<|im_end|>"


def chats(prose: Path) -> list[dict[str, Any]]:
    """Held-out examples as `prepare` writes them."""
    words = prose.read_text(encoding="utf-8").split()
    pieces = [" ".join(words[at : at + 40]) for at in range(0, 320, 40)]
    return [
        {"messages": [{"role": "user", "content": f"Write scene {number}."}, {"role": "assistant", "content": piece}]}
        for number, piece in enumerate(pieces)
    ]


@pytest.fixture(scope="module")
def zoo(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the models, their observations beside them as NAME.jsonl; one process has asked them all."""
    folder = tmp_path_factory.mktemp("zoo")
    made = make(folder, tiny_model)
    prose = next(iter(sorted((Path(__file__).resolve().parents[3] / "fine-tuning/data/raw").glob("*.md"))))
    (folder / "validation.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chats(prose)))
    write_questions(folder, Asking(made["adapter"], {}, 512), folder / "asked.jsonl")
    plain = {"revision": "", "adapter": "", "four_bit": False, "base": "", "trust_remote_code": False}
    merged = {name: made[name] for name in ZOO} | {name: folder / name for name in ("qlora_by_axolotl", "qlora")}
    models = [
        plain | {"name": name, "model": str(path), "tokenizer": str(made.get(name, made["adapter"])), "observed": f"{name}.jsonl"}
        for name, path in merged.items()
    ]
    for name, four_bit in (("", False), ("_4bit", True)):
        trained = {"name": "trained", "model": str(made["base"]), "tokenizer": str(made["adapter"]), "adapter": str(made["adapter"])}
        models.append(plain | trained | {"four_bit": four_bit, "observed": f"trained{name}.jsonl", "base": f"base{name}.jsonl"})
    (folder / "request.json").write_text(json.dumps({"asked": "asked.jsonl", "models": models}))
    env, driver = envs.ensure("train"), Path(__file__).with_name("qlora_merge.py")
    words = [made["base"], made["adapter"], folder / "qlora_by_axolotl", folder / "qlora", "request.json"]
    variables = process.tool_environment(env, {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(WORKER.parent)})
    subprocess.run([env.python, str(driver), *map(str, words)], cwd=folder, env=variables, check=True)
    return folder


def side(zoo: Path, name: str, bound: Bound = Bound(0.003, 0.98)) -> Side:  # noqa: B008 (frozen)
    verdict = compare(zoo / "trained.jsonl", zoo / f"{name}.jsonl", bound, zoo / "trained.jsonl", zoo / "base.jsonl")
    return Side("merged", verdict, End(2, END, known_ends(zoo / name)))


@pytest.mark.parametrize("name", ZOO)
def test_each_is_caught_and_its_cause_named(name: str, zoo: Path, tmp_path: Path) -> None:
    found, cause = side(zoo, name), ZOO[name][1]
    print(name, found.verdict)
    if not cause:
        assert found.held and found.verdict.kl is not None and found.verdict.kl < 1e-4
        assert told({"merged": found}, "8 prompts", "zoo", tmp_path, Console())["merged"]["held"] is True
        return
    assert found.fault and (found.fault.step, found.fault.cause) == ("merge", cause)
    with pytest.raises(LorewrightError, match=rf"it broke in merge \({cause}\)"):
        told({"merged": found}, "8 prompts", "zoo", tmp_path, Console())
    assert cause in (tmp_path / "report.html").read_text()


def test_a_base_model_is_caught_even_within_a_wide_bound(zoo: Path) -> None:
    """Where training has changed little, the base model is near; the adapter's share tells it all the same."""
    for name, cause in (("untouched_base", "untouched base"), ("double_scale", "scale")):
        fault = side(zoo, name, Bound(10.0, 0.0)).fault
        assert fault and fault.cause == cause
    assert side(zoo, "good", Bound(10.0, 0.0)).held


def test_what_the_merge_itself_refuses_the_gate_would_not_pass_either(zoo: Path) -> None:
    """A merge looks at headers alone: it sees a shard that is cut off, and none whose values are wrong."""
    shapes = weights_of(zoo / "base").shapes
    for name in ("corrupted_shard", "zeroed_shard", "transposed", "untouched_base"):
        assert check_whole(zoo / name, shapes)["shards"] == 2
        assert not side(zoo, name).held


def test_a_qlora_merge_is_rounded_where_training_was_and_nowhere_else(zoo: Path) -> None:
    """Axolotl alone rounds embedding and head too, which training had whole; the gate sees it, and our plugin leaves them."""

    def against_trained(name: str) -> Side:
        verdict = compare(
            zoo / "trained_4bit.jsonl", zoo / f"{name}.jsonl", Bound(0.003, 0.98), zoo / "trained_4bit.jsonl", zoo / "base_4bit.jsonl"
        )
        return Side("merged", verdict, End(-1, ""))

    ours, axolotls, unrounded = (against_trained(name) for name in ("qlora", "qlora_by_axolotl", "good"))
    assert ours.held and ours.verdict.kl is not None and ours.verdict.kl < 0.0005, ours.verdict
    assert axolotls.fault and axolotls.verdict.kl and axolotls.verdict.kl > 10 * ours.verdict.kl, axolotls.verdict
    assert unrounded.fault, "a merge into the unrounded base is not what was trained"
