"""Servers that outlive the command which started them: start, wait until they answer, stop, and who holds a port."""

from __future__ import annotations

import os
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorewright.errors import LorewrightError
from lorewright.manifest import read_json, write_json
from lorewright.process import end_group, end_leftover, failure, identity, leader_alive, members, reap, spawn
from lorewright.progress import Bar
from lorewright.remedies import Remedy, diagnose

KEPT_LOGS = 5
LOG_END = 100_000  # bytes that are looked at for the phase


def last_line(log: str) -> str:
    """What a server says it is doing: its last line, without the time and place before the words."""
    lines = [line for line in log.splitlines() if line.strip()]
    return re.sub(r"^.*(?:\[\S+:\d+\]|\bINFO:?)\s*", "", lines[-1])[:70] if lines else ""


@dataclass(frozen=True)
class LogReader:
    """How a server's log is read: phase gives a few words for where it is, explain the cause of a failure."""

    phase: Callable[[str], str] = last_line
    explain: Callable[[str], Remedy | None] = diagnose


PLAIN = LogReader()


def start_service(
    record: Path,
    command: list[str],
    *,
    environment: Mapping[str, str],
    log: Path,
    facts: Mapping[str, Any],
    handles: Sequence[int] = (),
) -> dict[str, Any]:
    """Starts a server that outlives this process and writes its record.

    facts: what the record keeps beside the process: name, host, port, fingerprint, owner. handles: open files that it inherits.
    What an earlier server of that record left running is ended first. Raises LorewrightError when the port is taken.
    """
    end_leftover(record)
    check_port(str(facts["host"]), int(facts["port"]))
    log.parent.mkdir(parents=True, exist_ok=True)
    rotate(log)
    whole = dict(facts) | {"log": str(log), "command": command, "since": time.time()}
    with open(log, "wb") as sink:
        child = spawn(command, environment, log.parent, sink, lambda identity: write_json(record, whole | identity), handles)
    return whole | identity(child.pid)


def rotate(log: Path) -> None:
    """Makes room for a new log: the last starts' logs stay as NAME.1.log (the newest) to NAME.5.log."""
    if not log.exists():
        return
    for number in range(KEPT_LOGS, 1, -1):
        older = log.with_suffix(f".{number - 1}.log")
        if older.exists():
            older.replace(log.with_suffix(f".{number}.log"))
    log.replace(log.with_suffix(".1.log"))


def wait_ready(record: Mapping[str, Any], path: str, timeout: float, bar: Bar, reader: LogReader = PLAIN) -> None:
    """Waits until the service answers `path` with 200.

    timeout: seconds. Raises LorewrightError with the log's end, and the cause when it is known, when the process dies or the time is over.
    """
    begun = time.monotonic()
    url = f"{base_url(str(record['host']), int(record['port']))}{path}"
    log = Path(str(record["log"]))
    while True:
        if fetch(url, timeout=2.0) is not None:
            return
        waited = time.monotonic() - begun
        if not leader_alive(record):
            how = reap(int(record["pid"]))
            raise failure(f"{record['name']} ended while starting{f' ({how})' if how else ''}", log, explain=reader.explain)
        if waited > timeout:
            raise failure(f"{record['name']} did not answer within {timeout:.0f} s", log, explain=reader.explain)
        bar(waited, None, f"starting, {waited:.0f} s  {reader.phase(_end_of(log))}")
        time.sleep(0.2)


def base_url(host: str, port: int) -> str:
    """Where a server bound to `host` is met from this machine."""
    near = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 (a comparison, nothing is bound)
    return f"http://[{near}]:{port}" if ":" in near else f"http://{near}:{port}"


# A proxy named in the environment is for the web, not for the server beside us.
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch(url: str, timeout: float = 5.0) -> str | None:
    """What a server of ours answers to a GET; None when it does not answer with success. Our own proxy may want one of its keys."""
    key = next(iter(re.findall(r"[^,\s]+", os.environ.get("LOREWRIGHT_API_KEYS", ""))), None)
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {key}"} if key else {})  # noqa: S310 (an address of ours)
    try:
        with direct.open(request, timeout=timeout) as reply:
            return str(reply.read().decode())
    except (urllib.error.URLError, OSError, ValueError):
        return None


def _end_of(log: Path) -> str:
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_END))
        return file.read().decode(errors="replace")


def running(record: Path) -> dict[str, Any] | None:
    """The facts of a recorded service that is alive; a record of which nothing is left is removed."""
    facts = read_json(record)
    if facts and leader_alive(facts):
        return dict(facts)
    if not facts or not members(facts):
        _forget(record, facts)
    return None


def _forget(record: Path, facts: Any) -> None:
    """Removes a record, unless a service that has been started meanwhile has written its own."""
    if read_json(record) == facts:
        record.unlink(missing_ok=True)


def leftover(record: Path) -> tuple[dict[str, Any], list[int]]:
    """The facts of a service that has crashed, and the processes that it left behind; nothing left: ({}, [])."""
    facts = read_json(record)
    if not facts or leader_alive(facts):
        return {}, []
    alive = members(facts)
    return (dict(facts), alive) if alive else ({}, [])


def left_said(facts: Mapping[str, Any], pids: Sequence[int]) -> str:
    """What a crash left, in words."""
    named = ", ".join(f"{pid} {command_name(pid)}".strip() for pid in pids)
    return f"{facts['name']} of {facts['recipe']}, port {facts['port']}: the server is gone, its processes still run ({named})"


def command_name(pid: int) -> str:
    """What a process calls itself; empty when it has gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def stop_service(record: Path) -> bool:
    """Ends a service and everything it started; True when it ran. Raises LorewrightError when its port stays taken."""
    facts = read_json(record)
    ran = bool(facts) and end_group(facts)
    if facts:
        reap(int(facts["pid"]))
        holder = port_holder(str(facts["host"]), int(facts["port"])) if ran else ""
        if holder:
            raise LorewrightError(f"{facts['name']} has ended, but port {facts['port']} is still held by {holder}")
    _forget(record, facts)
    return ran


def check_port(host: str, port: int) -> None:
    """Raises LorewrightError when the port is taken."""
    holder = port_holder(host, port)
    if holder:
        choose = "stop it, or choose another with --set serve.port=8010 or --set rag.port=8011"
        raise LorewrightError(f"port {port} is taken by {holder}", remedy=choose)


def port_holder(host: str, port: int) -> str:
    """Who holds a port, as `pid 12 (python)`; empty when it is free."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
        return ""
    except PermissionError:
        raise LorewrightError(f"port {port} needs administrator rights", remedy="choose one above 1023") from None
    except socket.gaierror:
        raise LorewrightError(f"{host!r} is not an address of this machine", remedy="use 127.0.0.1") from None
    except OSError as problem:
        if problem.errno == 99:  # EADDRNOTAVAIL
            raise LorewrightError(f"{host!r} is not an address of this machine", remedy="use 127.0.0.1") from None
        return _socket_owner(port)


def _socket_owner(port: int) -> str:
    wanted = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:] if Path(table).exists() else ():
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                wanted.add(f"socket:[{fields[9]}]")
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if any(os.readlink(f"/proc/{entry}/fd/{handle}") in wanted for handle in os.listdir(f"/proc/{entry}/fd")):
                return f"pid {entry} ({command_name(int(entry))})"
        except OSError:
            continue
    return "another program"


def hand_over(record: Path, owner: dict[str, Any] | None) -> None:
    """Gives a running service another owner: a run that will end it, or nobody (it stays until it is stopped)."""
    facts = read_json(record)
    if facts:
        write_json(record, facts | {"owner": owner})
