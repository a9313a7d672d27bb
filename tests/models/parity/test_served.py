"""Real vLLM as it should not be: the right weights with another template, and without the end that was trained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lorewright import envs, process, services
from lorewright.models.parity.compare import Bound, compare, read
from lorewright.models.parity.ends import End
from lorewright.models.parity.judged import Side
from lorewright.models.parity.questions import Asking, write_questions
from lorewright.models.parity.served import Server, observe, stops_after
from tests.conftest import free_port
from tests.models.parity.zoo import SWAPPED, make_base

pytestmark = [pytest.mark.real, pytest.mark.req("F5", "F6")]
START, TEXT_END, TURN_END = "<|im_start|>", 0, 2


@pytest.fixture(scope="module")
def broken(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Server]]:
    """(the model that was trained, a server of it that renders another template and ends at the end of text alone)"""
    folder = tmp_path_factory.mktemp("served")
    model = make_base(folder / "model", tiny_model)
    (folder / "swapped.jinja").write_text(SWAPPED)
    for name in ("generation_config.json", "config.json"):
        facts = json.loads((model / name).read_text())
        (model / name).write_text(json.dumps(facts | {"eos_token_id": TEXT_END}))
    settings = json.loads((model / "tokenizer_config.json").read_text())
    (model / "tokenizer_config.json").write_text(json.dumps(settings | {"eos_token": "<|endoftext|>"}))
    env, port = envs.ensure("serve"), free_port()
    command = [
        str(env.python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(model), "--served-model-name", "zoo", "--port", str(port),
        "--enforce-eager", "--max-model-len", "1024", "--chat-template", str(folder / "swapped.jinja"),
    ]  # fmt: skip
    variables = process.tool_environment(env, {"HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1"})
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(command, env=variables, stdout=log, stderr=log, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(240):
            if services.fetch(f"{url}/health") is not None or server.poll() is not None:
                break
            time.sleep(0.5)
        yield model, Server(url, "zoo", 20)
    finally:
        process.end_group(process.identity(server.pid))
        server.wait(timeout=30)


def test_a_swapped_template_and_a_lost_end_are_caught_as_served(broken: tuple[Path, Server], tmp_path: Path) -> None:
    model, server = broken
    chat = [{"role": "user", "content": "Who keeps the clock?"}, {"role": "assistant", "content": "Wim Teague keeps it, and tells nobody."}]
    text = {"text": "The tide clock of Late has four hands, and none of them is ever right."}
    (tmp_path / "validation.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ({"messages": chat}, text)))
    write_questions(tmp_path, Asking(model, {}, 512), tmp_path / "asked.jsonl")
    observe(server, tmp_path / "asked.jsonl", tmp_path / "served.jsonl", lambda *_: None)
    worker = Path(__file__).resolve().parents[3] / "src/lorewright/workers/parity_transformers.py"
    trained = {
        "name": "merged", "model": str(model), "tokenizer": str(model), "adapter": "", "revision": "", "four_bit": False, "base": "",
        "trust_remote_code": False, "observed": "merged.jsonl",
    }  # fmt: skip
    (tmp_path / "request.json").write_text(json.dumps({"asked": "asked.jsonl", "models": [trained]}))
    subprocess.run([sys.executable, str(worker), "request.json"], cwd=tmp_path, check=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    verdict = compare(tmp_path / "merged.jsonl", tmp_path / "served.jsonl", Bound(0.01, 0.97))
    side = Side("served", verdict, End(TURN_END, "<|im_end|>"))
    assert [difference.id for difference in verdict.differ] == ["p1", "p2"], "plain text is read alike, chats are not"
    assert side.fault and (side.fault.step, side.fault.cause) == ("serve", "template")
    assert verdict.positions > 10 and verdict.near, "what is read alike goes on alike: the weights are the right ones"
    prompt = next(iter(read(tmp_path / "served.jsonl").values())).prompt
    assert stops_after(server, prompt, TEXT_END) and not stops_after(server, prompt, TURN_END)
    lost = Side(
        "served",
        compare(tmp_path / "merged.jsonl", tmp_path / "merged.jsonl", Bound(0.01, 0.97)),
        End(TURN_END, "<|im_end|>", (), stops=False),
    )
    assert lost.fault and (lost.fault.step, lost.fault.cause) == ("serve", "end token")
    assert "writes on after it" in lost.fault.said
