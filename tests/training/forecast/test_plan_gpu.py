"""`plan RECIPE --gpu NAME`: what is said, what to change, where lengths and sizes come from."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import combinations
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from lorewright.cli import main
from lorewright.errors import LorewrightError
from lorewright.manifest import write_json
from lorewright.plan import Paths
from lorewright.recipe import load
from lorewright.training.forecast.found import find_model
from lorewright.training.forecast.gpus import Gpu, find_gpu, gpus, own_table
from lorewright.training.forecast.lengths import fullest, lengths_of, limited, usual
from lorewright.training.forecast.memory import GIB


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No user's table, no calibration, no hub."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOREWRIGHT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def foretold(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["plan", *words, "--json"]) == 0, capsys.readouterr().err
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["forecast"]
    return found


@pytest.mark.req("F1", "F2", "S3", "P6")
@pytest.mark.parametrize(("recipe", "gpu", "verdict"), [
    ("qlora_style_transfer", "RTX 5090", "fits"), ("qlora_style_transfer", "RTX 3080", "fits"), ("lora_style_transfer", "RTX 5090", "fits"), ("scientific_longform", "RTX 3070", "fits"),
    ("persona_qa", "RTX 4090", "fits"), ("persona_qa_32b", "RTX 4090", "fits"), ("qlora_style_transfer", "RTX 3070", "does not fit"),
    ("persona_qa_30b_a3b", "RTX 4090", "fits"), ("gpt-oss-nf4", "RTX 4090", "fits"), ("starter", "RTX 3060", "fits"),
])  # fmt: skip
def test_verdicts_on_the_cards_of_the_reference_systems(repo: Path, capsys, recipe: str, gpu: str, verdict: str) -> None:  # type: ignore[no-untyped-def]
    assert foretold(capsys, str(repo / f"configs/{recipe}.yaml"), "--gpu", gpu)["verdict"] == verdict


@pytest.mark.req("F4", "P6", "S3")
def test_what_to_change_follows_the_recipes_list(repo: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    found = foretold(capsys, str(repo / "configs/qlora_style_transfer.yaml"), "--gpu", "RTX 3070")
    steps = [(change["step"], change["keys"], change["verdict"]) for change in found["changes"]]
    smaller = {"micro_batch_size": 2, "gradient_accumulation_steps": 8}
    assert steps == [("micro_batch", smaller, "does not fit"), ("rank", {"lora_r": 32, "lora_alpha": 64}, "tight")]
    assert found["memory"]["needed"] > found["changes"][0]["needed"]
    found = foretold(capsys, str(repo / "configs/scientific_longform.yaml"), "--gpu", "RTX 4060", "--set", "axolotl.lora_r=512")
    assert [change["step"] for change in found["changes"]] == ["sequence_len", "rank"]
    found = foretold(
        capsys,
        str(repo / "configs/scientific_longform.yaml"),
        "--gpu",
        "RTX 4060",
        "--set",
        "train.on_out_of_memory=[]",
        "--set",
        "axolotl.lora_r=512",
    )
    assert found["changes"] == [] and found["verdict"] == "does not fit"


def test_a_fallback_model_is_tried_with_its_own_size(repo: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    found = foretold(capsys, str(repo / "configs/persona_qa_32b.yaml"), "--gpu", "RTX 4070")
    assert [change["keys"].get("base_model") for change in found["changes"]][-1] == "Qwen/Qwen3-8B"
    assert found["changes"][-1]["verdict"] == "fits"


def test_what_costs_nothing_is_told_first(repo: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    scores = ("--set", "axolotl.liger_fused_linear_cross_entropy=false", "--set", "axolotl.micro_batch_size=1")
    with monkeypatch.context() as changed:  # a model for which Liger has no fused loss: the scores of four examples are what does not fit
        changed.setattr("lorewright.training.forecast.advice.LIGER_KINDS", ())
        words = ("--gpu", "RTX 3090", "--set", "axolotl.eval_batch_size=4", *scores)
        found = foretold(capsys, str(repo / "configs/lora_style_transfer.yaml"), *words)
    assert found["memory"]["phase"] == "evaluating" and found["better"][0]["keys"] == {"eval_batch_size": 1}
    unfused = ("--set", "axolotl.liger_fused_linear_cross_entropy=false", "--set", "axolotl.micro_batch_size=8")
    plain = foretold(capsys, str(repo / "configs/persona_qa.yaml"), "--gpu", "RTX 4070", *unfused)
    assert plain["better"][0]["keys"]["liger_fused_linear_cross_entropy"] is True
    upcast = ("--set", "axolotl.embeddings_skip_upcast=false")
    large = foretold(capsys, str(repo / "configs/persona_qa_32b.yaml"), "--gpu", "RTX 4090", *upcast)
    assert large["better"][0]["keys"] == {"embeddings_skip_upcast": True} and large["better"][0]["verdict"] == "fits"


def test_lines_say_verdict_parts_time_and_where_it_comes_from(repo: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    assert main(["plan", str(repo / "configs/qlora_style_transfer.yaml"), "--gpu", "rtx3070"]) == 0
    out = capsys.readouterr().out
    assert "training on RTX 3070: does not fit, 9." in out and "of 8.0 GiB" in out
    for word in (
        "weights",
        "adapter",
        "gradients",
        "activations",
        "logits",
        "workspace",
        "estimated from the sources",
        "steps",
        "of disk",
        "shapes.yaml",
    ):
        assert word in out, word
    assert "micro_batch: " in out and "(none" not in out


def test_two_cards_share_the_steps(repo: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    """In half of the time, or where each takes the whole batch, in half of the steps."""
    recipe, apart = str(repo / "configs/qlora_style_transfer.yaml"), (
        "--set", "train.keep_batch=false", "--set", "train.devices=2", "--set", "axolotl.num_epochs=20",
    )  # fmt: skip
    one, two = (foretold(capsys, recipe, "--gpu", f"{number}RTX 3060") for number in ("", "2 x "))
    assert (one["gpu"]["devices"], two["gpu"]["devices"]) == (1, 2)
    assert two["time"]["steps"] == one["time"]["steps"] and two["time"]["training"] == pytest.approx(one["time"]["training"] / 2, rel=0.1)
    one, two = (foretold(capsys, recipe, "--gpu", f"{number}RTX 3060", *apart) for number in ("", "2 x "))
    assert two["time"]["steps"] == ceil(one["time"]["steps"] / 2)


def test_names_are_found_however_they_are_written() -> None:
    for name in ("RTX 5090", "rtx5090", "NVIDIA GeForce RTX 5090", "GeForce RTX 5090"):
        assert find_gpu(name).name == "RTX 5090"
    for name, plain in (
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA A100-SXM4-80GB", "A100 80GB"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("NVIDIA H200", "H200"),
    ):
        assert find_gpu(name).name == plain
    with pytest.raises(LorewrightError, match="no GPU called 'RTX 4095'") as problem:
        find_gpu("RTX 4095")
    assert "RTX 4090" in problem.value.remedy and str(own_table()) in problem.value.remedy


def test_every_gpu_of_the_table_is_whole_and_plausible() -> None:
    known = {gpu.name: gpu for gpu in gpus().values()}
    assert len(known) > 45
    for gpu in known.values():
        assert 7 < gpu.memory / GIB < 200 and 2e11 < gpu.bandwidth < 9e12 and 2e13 < gpu.rate < 3e15 and 0.4 < gpu.reached < 1, gpu


def test_a_card_of_ones_own_goes_before_ours(tmp_path: Path) -> None:
    own_table().parent.mkdir(parents=True)
    own_table().write_text(
        "My Card: {memory_gib: 7, bandwidth_gb: 100, bf16_tflops: 10}\nH200: {memory_gib: 1, bandwidth_gb: 1, bf16_tflops: 1, reached: 0.9}\n"
    )
    assert find_gpu("my card") == Gpu("My Card", 7 * GIB, 1e11, 1e13)
    assert find_gpu("H200").reached == 0.9
    own_table().write_text("Broken: {memory_gib: much}\n")
    with pytest.raises(LorewrightError, match="Broken: memory_gib, bandwidth_gb, bf16_tflops must be numbers"):
        find_gpu("H200")


def test_a_model_is_found_in_its_folder_the_cache_or_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100, "intermediate_size": 96}
    folder = tmp_path / "model"
    write_json(folder / "config.json", config)
    assert find_model(str(folder)).shape.hidden == 64
    from huggingface_hub import constants

    hub = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub))
    write_json(hub / "models--org--own" / "snapshots" / "abc" / "config.json", config | {"hidden_size": 128})
    (hub / "models--org--own" / "refs").mkdir()
    (hub / "models--org--own" / "refs" / "main").write_text("abc")
    assert find_model("org/own").where == "config.json in the hub's cache" and find_model("org/own").shape.hidden == 128
    assert find_model("Qwen/Qwen3-14B@v1").shape.layers == 40
    with pytest.raises(LorewrightError, match="the size of org/unknown is not known") as problem:
        find_model("org/unknown")
    assert "--set base_model=FOLDER" in problem.value.remedy
    write_json(folder / "config.json", {"model_type": "t5"})
    with pytest.raises(LorewrightError, match="hidden_size"):
        find_model(str(folder))


def test_the_hub_is_asked_once_with_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers.get("Authorization", "")))
            body = json.dumps({"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100}).encode()
            self.send_response(200 if "known" in self.path else 401)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None: ...

    monkeypatch.delenv("HF_HUB_OFFLINE")
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        assert find_model("org/known@v2", online=True).where == "config.json from the hub"
        with pytest.raises(LorewrightError, match="not known") as problem:
            find_model("org/gated", online=True)
        with pytest.raises(LorewrightError, match="not known"):
            find_model("org/known")  # nobody waits for it
        monkeypatch.setenv("TRANSFORMERS_OFFLINE", "1")
        with pytest.raises(LorewrightError, match="not known"):
            find_model("org/known", online=True)
        monkeypatch.delenv("TRANSFORMERS_OFFLINE")
        monkeypatch.delenv("HF_TOKEN")
        (tmp_path / "token").write_text("hf_file\n")
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))  # read when it is imported
        find_model("org/known", online=True)
        server.shutdown()
    assert seen == [
        ("/org/known/resolve/v2/config.json", "Bearer hf_secret"), ("/org/gated/resolve/main/config.json", "Bearer hf_secret"),
        ("/org/known/resolve/main/config.json", "Bearer hf_file"),
    ]  # fmt: skip
    assert "hf_secret" not in str(problem.value)


def test_real_lengths_are_used_where_the_ledger_has_counted(repo: Path, tmp_path: Path) -> None:
    recipe, paths = load(repo / "configs/starter.yaml"), Paths(tmp_path / "runs", "starter")
    assert not lengths_of(recipe, paths).measured
    sides = {"training": {"lengths": {"100": 3, "700": 1}}, "validation": {"lengths": {"90": 2}}}
    write_json(paths.home / "latest" / "ledger" / "ledger.json", sides)
    found = lengths_of(recipe, paths)
    assert found.measured and (found.samples, found.tokens, dict(found.held_out)) == (4, 1000, {90: 2})
    assert fullest(found.training, 4, 1024).tokens == 4 * 704 and fullest(found.training, 4, 512).tokens == 4 * 512
    assert limited(found.training, 500) == {100: 3, 500: 1}


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_the_usual_batch_is_the_mean_over_all_that_can_be_drawn(rows: int) -> None:
    lengths = {60: 2, 130: 1, 300: 2, 640: 1}
    every = [length for length, count in lengths.items() for _ in range(count)]
    drawn = list(combinations(every, rows))
    mean = sum(max(ceil(length / 64) * 64 for length in batch) for batch in drawn) / len(drawn)
    assert usual(lengths, rows).length == round(mean)


def test_a_recipe_that_trains_nothing_has_nothing_to_foretell(make_recipe, capsys) -> None:  # type: ignore[no-untyped-def]
    assert main(["plan", str(make_recipe(axolotl=None)), "--gpu", "H200"]) == 1
    assert "trains nothing" in capsys.readouterr().err
