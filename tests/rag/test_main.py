from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest

from lorewright.errors import LorewrightError
from lorewright.rag.__main__ import main, serve

from .fakes import settings, wait_until
from .upstream_server import UpstreamServer


def config(folder: Path, upstream: str, **changes: object) -> Path:
    file = folder / "proxy.json"
    file.write_text(json.dumps(asdict(settings(upstream, **changes))))
    return file


@pytest.mark.req("F8")
def test_the_proxy_runs_as_a_process_and_stops_when_told(tmp_path: Path, upstream: UpstreamServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "lorewright.rag", "--config", str(config(tmp_path, upstream.address, port=port))]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/health").json() == {"status": "ok"}
        except httpx.HTTPError:
            return False

    try:
        wait_until(answers, 120)
        assert httpx.get(f"http://127.0.0.1:{port}/ready").status_code == 200
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert "Traceback" not in said


def test_a_missing_index_is_one_line_and_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = config(tmp_path, "http://127.0.0.1:1", index="nowhere")
    assert main(["--config", str(file)]) == 1
    assert capsys.readouterr().err == f"lorewright: {tmp_path}/nowhere: no lore index there; ingest the lore first\n"
    with pytest.raises(LorewrightError):
        serve(file)


def test_starting_is_light() -> None:
    heavy = "import sys, lorewright.rag.__main__; print([m for m in ('torch', 'chromadb', 'fastapi', 'httpx') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_an_address_that_others_reach_needs_a_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOREWRIGHT_API_KEYS", raising=False)
    for host in ("0.0.0.0", "::", "192.168.1.5", "writer.lan"):
        assert main(["--config", str(config(tmp_path, "http://127.0.0.1:1", host=host))]) == 1
        said = capsys.readouterr().err
        assert f"rag.host {host}: the proxy would be open to everybody" in said
        assert "set LOREWRIGHT_API_KEYS" in said
