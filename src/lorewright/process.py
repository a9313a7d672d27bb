"""The only place that starts, watches and ends processes (besides envs.py, which runs before anything else exists).

A tool runs in a session of its own, so that it and all that it started can be ended together. What runs is written to a
record with the process's start time: a number that the system has given to another process since is never touched.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lorewright.envs import Environment
from lorewright.errors import LorewrightError
from lorewright.manifest import read_json, write_json
from lorewright.remedies import Remedy, diagnose

# Nothing phones home.
SILENT = {
    "AXOLOTL_DO_NOT_TRACK": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "RAY_USAGE_STATS_ENABLED": "0",
}
TAIL_LINES = 15
RECORD = ".process.json"
# Our own children must be waited for, or they stay in the process table when they end.
_children: dict[int, subprocess.Popen[bytes]] = {}


class ToolError(LorewrightError):
    """A tool that ended with an error. code: its exit code, negative for a signal. log: all that it wrote."""

    def __init__(self, problem: LorewrightError, code: int, log: str) -> None:
        super().__init__(problem.what, where=problem.where, remedy=problem.remedy, tail=problem.tail)
        self.code, self.log = code, log


def tool_environment(env: Environment | None, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment variables for a tool that runs in one of our environments; None for the one we run in."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")}
    path = {"PATH": env.command_path()} if env else {}
    return kept | SILENT | path | {"PYTHONUNBUFFERED": "1"} | dict(extra or {})


def run(
    command: list[str],
    *,
    environment: Mapping[str, str],
    log: Path,
    folder: Path,
    on_line: Callable[[str], None] | None = None,
    handles: Sequence[int] = (),
    explain: Callable[[str], Remedy | None] = diagnose,
    wind_down: Callable[[], Callable[[], bool]] | None = None,
) -> None:
    """Runs a tool to its end, its output going to `log` as it comes.

    folder: the working folder; it also keeps the record by which a later run finds a tool that outlived us.
    on_line: gets each line of output (a carriage return ends one too). handles: open files that the tool inherits. explain: finds
    the remedy in what it has logged. wind_down: called at the first interruption, it asks the tool to come to an end and gives back
    what says when it has; then, or at the second interruption, the tool is ended.
    Raises ToolError with the last lines, and the remedy when the failure is a known one.
    """
    record = folder / RECORD
    end_leftover(record)
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as sink:
        start = sink.tell()
        child = spawn(
            command, environment, folder, subprocess.PIPE, lambda facts: write_json(record, facts | {"command": command}), handles
        )
        facts = identity(child.pid)
        try:
            _pump(child, sink, on_line, wind_down)
        finally:
            end_group(facts)  # also what a tool that ended well has left running
            reap(child.pid)
    record.unlink(missing_ok=True)
    if child.returncode:
        what = f"{Path(command[0]).name} {command[1] if len(command) > 1 else ''} failed ({ending(child.returncode)})"
        raise ToolError(failure(what, log, start, explain), child.returncode, logged(log, start))


def ask(
    command: list[str], *, environment: Mapping[str, str], log: Path, seconds: float, stop: Callable[[], bool]
) -> tuple[int | None, bytes]:
    """Runs a short tool that works for us alone and dies with us. Returns its exit code and its output.

    log: gets what it prints as errors. seconds: then it is ended and its code is None; so it is when `stop` says so.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    with open(log, "ab") as sink:
        child = subprocess.Popen(
            command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=sink, start_new_session=True
        )
        try:
            while time.monotonic() < deadline and not stop():
                try:
                    output, _ = child.communicate(timeout=0.2)
                except subprocess.TimeoutExpired:
                    continue
                return child.returncode, output
            return None, b""
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            child.communicate()


def ending(code: int) -> str:
    return f"ended by signal {-code}" if code < 0 else f"exit {code}"


# The tool waits for a word from us, which comes once its record is written: no moment's kill leaves a tool that no record names.
GATE = 'read -r go || exit 1; exec "$@" </dev/null'


def spawn(
    command: list[str],
    environment: Mapping[str, str],
    folder: Path,
    output: Any,
    keep: Callable[[dict[str, Any]], None],
    handles: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Starts a tool in a session of its own.

    output: where its output and errors go. keep: writes the record of who it is, before it begins. handles: open files that it
    inherits (a lock that shall go with it).
    """
    child = subprocess.Popen(
        ["/bin/sh", "-c", GATE, "sh", *command], env=dict(environment), cwd=folder, start_new_session=True,
        stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, pass_fds=tuple(handles),
    )  # fmt: skip
    assert child.stdin
    with child.stdin as gate:  # closed without a word, the tool never begins
        try:
            keep(identity(child.pid))
            gate.write(b"go\n")
        except BaseException:
            child.kill()
            child.wait()
            if child.stdout:
                child.stdout.close()
            raise
    _children[child.pid] = child
    return child


def _pump(
    child: subprocess.Popen[bytes], sink: Any, on_line: Callable[[str], None] | None, wind_down: Callable[[], Callable[[], bool]] | None
) -> None:
    assert child.stdout
    with child.stdout as output:
        try:
            _pass_on(child, output, sink, on_line)
        except KeyboardInterrupt:
            if wind_down:
                _pass_on(child, output, sink, on_line, wind_down())
            raise


def _pass_on(
    child: subprocess.Popen[bytes], output: Any, sink: Any, on_line: Callable[[str], None] | None, over: Callable[[], bool] = lambda: False
) -> None:
    """Passes output on until the tool has ended, or it is `over`; what it left running may hold the pipe open and is not waited for."""
    rest = b""
    while not over():
        ready, _, _ = select.select([output], [], [], 0.2)
        piece = os.read(output.fileno(), 65536) if ready else b""
        if not piece and (ready or child.poll() is not None):
            return
        sink.write(piece)
        sink.flush()
        *lines, rest = (rest + piece).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            if on_line and line.strip():
                on_line(line.decode(errors="replace"))


def logged(log: Path, start: int = 0) -> str:
    """What was written to a log from that byte on, its carriage returns as line ends."""
    with open(log, "rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace").replace("\r", "\n")


def failure(what: str, log: Path, start: int = 0, explain: Callable[[str], Remedy | None] = diagnose) -> LorewrightError:
    """An error that shows a log's last lines and, when it knows the failure, what helps."""
    text = logged(log, start)
    lines = [line[:300] for line in text.splitlines() if line.strip()]
    known = explain(f"{text}\n{what}")
    said = f"{what}: {known.what}" if known else what
    return LorewrightError(
        said, where=str(log), remedy=known.do if known else "the lines above are the end of its log", tail=tuple(lines[-TAIL_LINES:])
    )


# --- who is who ---------------------------------------------------------------------------------------------------------


def identity(pid: int) -> dict[str, Any]:
    return {"pid": pid, "started": start_time(pid), "boot": boot()}


def boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int | str) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent, group, session …; empty when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def start_time(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] != "Z" else None


def parent(pid: int) -> int:
    """The process that started it; 0 when it is gone."""
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def members(record: Mapping[str, Any]) -> list[int]:
    """The living processes of the session that a record names. A number given to a stranger since counts as none."""
    pid = int(record["pid"])
    if record.get("boot") != boot() or start_time(pid) not in (None, record["started"]):
        return []
    found = []
    for entry in os.listdir("/proc"):
        fields = _stat(entry) if entry.isdigit() else []
        if fields and fields[0] != "Z" and int(fields[3]) == pid:
            found.append(int(entry))
    return found


def end_group(record: Mapping[str, Any], patience: float = 10.0) -> bool:
    """Ends all of a session's processes: asks, waits, then forces. True when there was something to end."""
    if not members(record):
        return False
    for sign, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
        for pid in members(record):
            _signal(pid, sign)
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            if not members(record):
                return True
            time.sleep(0.05)
    raise LorewrightError(f"process {record['pid']} does not end", remedy=f"look at it with: ps -o pid,stat,args -s {record['pid']}")


def _signal(pid: int, sign: signal.Signals) -> None:
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        return


def end_leftover(record: Path) -> None:
    """Ends a tool that outlived the run that started it, so that two never work in one folder."""
    facts = read_json(record)
    if facts:
        end_group(facts)
        record.unlink(missing_ok=True)


def owner_alive(facts: Mapping[str, Any]) -> bool:
    """Whether the run that started a service for its own use still lives."""
    owner = facts.get("owner") or {}
    return bool(owner) and owner["boot"] == boot() and start_time(int(owner["pid"])) == owner["started"]


def myself() -> dict[str, Any]:
    return identity(os.getpid())


def leader_alive(record: Mapping[str, Any]) -> bool:
    """Whether the process that was started lives itself, and not only something that it left behind."""
    return record.get("boot") == boot() and start_time(int(record["pid"])) == record["started"]


def reap(pid: int) -> str:
    """Takes a child of ours that has ended out of the process table; of others there is nothing to take. Says how it ended."""
    child = _children.pop(pid, None)
    return ending(child.wait()) if child else ""
