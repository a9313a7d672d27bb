"""vLLM's answers as its API gives them, from a scripted server: which entry is which position, and what a refusal means."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lorewright.errors import LorewrightError
from lorewright.models.parity.compare import Bound, compare
from lorewright.models.parity.ends import End
from lorewright.models.parity.judged import Side
from lorewright.models.parity.served import Server, observe, stops_after
from tests.conftest import free_port

pytestmark = pytest.mark.req("F5", "F6")
ANSWER = [50, 60]


def entry(token: int, value: float, rank: int) -> dict[str, Any]:
    return {str(token): {"logprob": value, "rank": rank, "decoded_token": "x"}}


class Scripted(http.server.BaseHTTPRequestHandler):
    """Reads every prompt as 1, 2, 3; what stands in a prompt is also told where it is none of the likeliest, as vLLM does."""

    broken = False

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.broken:
            self.answer(500, {"error": {"message": "EngineCore encountered an issue"}})
        elif self.path == "/tokenize":
            refused = "messages" in asked
            self.answer(400 if refused else 200, {"error": {"message": "no chat template"}} if refused else {"tokens": [1, 2, 3]})
        elif "logit_bias" in asked:
            self.answer(200, {"choices": [{"finish_reason": "stop" if "9" in asked["logit_bias"] else "length"}]})
        else:
            assert asked["prompt"] == [1, 2, 3, *ANSWER] and asked["prompt_logprobs"] == 2
            within = [None, entry(2, -1.0, 1), entry(3, -1.0, 1)]
            first = entry(50, -9.0, 700) | entry(72, -3.0, 2) | entry(77, -0.1, 1)
            second = entry(60, -0.2, 1) | entry(61, -2.0, 2)
            logs = {"top_logprobs": [{"token_id:81": -2.5, "token_id:80": -0.5}]}
            self.answer(200, {"choices": [{"prompt_logprobs": [*within, first, second], "logprobs": logs}]})

    def answer(self, code: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    port = free_port()
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Scripted) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield Server(f"http://127.0.0.1:{port}", "zoo", 2)
        running.shutdown()


def asked(folder: Path) -> Path:
    chat = {"id": "p1", "messages": [{"role": "user", "content": "Who?"}], "text": None, "answer_ids": [], "top": 20}
    rows = [{"id": "p0", "messages": None, "text": "The clock", "answer_ids": ANSWER, "top": 20}, chat]
    (folder / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "asked.jsonl"


def test_each_position_is_what_was_expected_there(server: Server, tmp_path: Path) -> None:
    observe(server, asked(tmp_path), tmp_path / "served.jsonl", lambda *_: None)
    text, chat = (json.loads(line) for line in (tmp_path / "served.jsonl").read_text().splitlines())
    assert text["prompt_ids"] == [1, 2, 3]
    assert [place["ids"] for place in text["positions"]] == [[77, 72], [60, 61], [80, 81]], "the likeliest first, and those alone"
    assert text["positions"][2]["logprobs"] == [-0.5, -2.5]
    assert chat == {"id": "p1", "prompt_ids": [], "positions": []}, "a chat that is refused has no prompt"
    other = text["positions"], {"id": "p1", "prompt_ids": [4], "positions": [text["positions"][0]]}
    (tmp_path / "merged.jsonl").write_text(json.dumps(text) + "\n" + json.dumps(other[1]) + "\n")
    fault = Side("served", compare(tmp_path / "merged.jsonl", tmp_path / "served.jsonl", Bound(0.01, 0.97)), End(-1, "")).fault
    assert fault and fault.cause == "template" and fault.said == "vLLM has no chat template, or one that refuses 1 of 2 prompts"


def test_the_end_is_asked_by_making_it_be_written(server: Server) -> None:
    assert stops_after(server, [1, 2], 9) and not stops_after(server, [1, 2], 8)


def test_a_server_that_breaks_is_told_in_its_own_words(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scripted, "broken", True)
    with pytest.raises(LorewrightError, match="vLLM answers 500: .*EngineCore encountered an issue"):
        observe(server, asked(tmp_path), tmp_path / "served.jsonl", lambda *_: None)
    with pytest.raises(LorewrightError, match="vLLM does not answer"):
        stops_after(Server(f"http://127.0.0.1:{free_port()}", "zoo", 2), [1], 9)
