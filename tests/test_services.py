"""Services: started once, waited for, stopped whole, and never somebody else's."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import pytest

from lorewright import process, services
from lorewright.errors import LorewrightError
from tests.conftest import free_port

SERVER = """
import http.server, subprocess, sys, time
print('loading', flush=True)
subprocess.Popen(['sleep', '60'])
time.sleep(float(sys.argv[2]))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == '/health' else 404); self.end_headers()
    def log_message(self, *words): pass
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
"""


def start(folder: Path, port: int, code: str = SERVER, delay: float = 0.0) -> dict[str, object]:
    return services.start_service(
        folder / "web.json", [sys.executable, "-c", code, str(port), str(delay)], environment=os.environ, log=folder / "web.log",
        facts={"name": "web", "host": "127.0.0.1", "port": port, "fingerprint": "f"},
    )  # fmt: skip


def ignore(done: float, total: float | None, note: str = "") -> None:
    return


def test_start_wait_stop(tmp_path: Path) -> None:
    port = free_port()
    facts = start(tmp_path, port, delay=0.3)
    notes: list[str] = []
    services.wait_ready(facts, "/health", 10, lambda done, total, note="": notes.append(note))
    assert any("loading" in note for note in notes), "the log's last line tells the phase"
    assert len(process.members(facts)) == 2
    assert services.running(tmp_path / "web.json")
    assert services.stop_service(tmp_path / "web.json")
    assert process.members(facts) == [], "what the server started ends with it"
    assert not services.port_holder("127.0.0.1", port)
    assert services.running(tmp_path / "web.json") is None
    assert not services.stop_service(tmp_path / "web.json"), "stopping twice is no mistake"


def test_taken_port_names_its_holder(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(LorewrightError, match=rf"is taken by pid {os.getpid()} \("):
            start(tmp_path, other.getsockname()[1])
    assert not (tmp_path / "web.json").exists()


def test_a_server_that_dies_while_starting_is_told_with_its_log(tmp_path: Path) -> None:
    facts = start(tmp_path, free_port(), code="raise SystemExit('No available memory for the cache blocks')")
    with pytest.raises(LorewrightError, match=r"ended while starting \(exit 1\): the context does not fit") as problem:
        services.wait_ready(facts, "/health", 10, ignore)
    assert "max_model_len" in problem.value.remedy


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    facts = start(tmp_path, free_port(), delay=60)
    begun = time.monotonic()
    with pytest.raises(LorewrightError, match="did not answer within 1 s"):
        services.wait_ready(facts, "/health", 1, ignore)
    assert time.monotonic() - begun < 30, "well before the server would have answered"
    assert services.stop_service(tmp_path / "web.json")


def test_record_of_a_dead_process_is_cleared(tmp_path: Path) -> None:
    facts = start(tmp_path, free_port())
    process.end_group(facts)
    process.reap(facts["pid"])  # type: ignore[arg-type]
    assert services.running(tmp_path / "web.json") is None
    assert not (tmp_path / "web.json").exists()


def test_the_log_of_the_last_start_is_kept(tmp_path: Path) -> None:
    port = free_port()
    for _ in range(2):
        services.wait_ready(start(tmp_path, port), "/health", 10, ignore)
        services.stop_service(tmp_path / "web.json")
    assert (tmp_path / "web.1.log").exists()


def test_only_the_last_logs_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    for number in range(9):
        services.rotate(log)
        log.write_text(str(number))
    kept = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert kept == {"web.log": "8", "web.1.log": "7", "web.2.log": "6", "web.3.log": "5", "web.4.log": "4", "web.5.log": "3"}


@pytest.mark.req("F6")
def test_what_a_crash_leaves_behind_is_named_and_ended(tmp_path: Path) -> None:
    """The server is killed, its engine process goes on: no service runs, and the next start is not in its way."""
    record, port = tmp_path / "web.json", free_port()
    facts = start(tmp_path, port)
    services.wait_ready(facts, "/health", 10, ignore)
    os.kill(int(facts["pid"]), 9)  # type: ignore[call-overload]
    process.reap(facts["pid"])  # type: ignore[arg-type]
    assert services.running(record) is None
    left, pids = services.leftover(record)
    assert len(pids) == 1 and record.exists(), "the record stays, so that it can be found"
    assert "the server is gone, its processes still run" in services.left_said(left | {"recipe": "r"}, pids)
    again = start(tmp_path, port)
    services.wait_ready(again, "/health", 10, ignore)
    assert process.members(facts) == []
    assert services.leftover(record) == ({}, [])
    services.stop_service(record)


def test_a_server_killed_while_starting_is_told_at_once(tmp_path: Path) -> None:
    """Its engine process lives on; waiting for that would last the whole timeout."""
    code = "import os, subprocess; subprocess.Popen(['sleep', '60']); os.kill(os.getpid(), 9)"
    facts = start(tmp_path, free_port(), code=code)
    with pytest.raises(LorewrightError, match=r"ended while starting \(ended by signal 9\): the system ended the process"):
        services.wait_ready(facts, "/health", 20, ignore)
    assert services.stop_service(tmp_path / "web.json")


def test_foreign_addresses_are_refused_in_words() -> None:
    with pytest.raises(LorewrightError, match="is not an address of this machine"):
        services.port_holder("203.0.113.7", 8000)
