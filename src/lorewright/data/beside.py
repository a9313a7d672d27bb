"""A process beside this one, for work that keeps a core busy; it ends when this one does, however that ends."""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

AHEAD = 4  # messages that wait for the process, so that the one that sends need not
_END = object()


class Helper:
    """Runs work(connection, *words) in a new process; what goes wrong there is raised here.

    work: a function of a module; it receives until None, and answers by sending.
    """

    def __init__(self, work: Callable[..., None], *words: Any) -> None:
        start = multiprocessing.get_context("spawn")  # a fork would take over locks that threads hold
        self._connection, theirs = start.Pipe()
        self._process = start.Process(target=_work, args=(theirs, work, words), daemon=True)
        self._process.start()
        theirs.close()
        self._waiting: queue.Queue[Any] = queue.Queue(AHEAD)
        self._died = False
        self._sender = threading.Thread(target=self._send_waiting, daemon=True)
        self._sender.start()

    def send(self, message: Any) -> None:
        """Waits only while AHEAD messages are under way."""
        if self._died:
            raise self._last_word()
        self._waiting.put(message)

    def receive(self) -> Any:
        try:
            answer = self._connection.recv()
        except (OSError, EOFError):
            raise RuntimeError("a process that prepares text has died") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self._process.kill()  # it has answered, or its answer is not wanted any more
        self._process.join()
        self._waiting.put(_END)
        self._sender.join()
        self._connection.close()

    def _send_waiting(self) -> None:
        while (message := self._waiting.get()) is not _END:
            try:
                if not self._died:
                    self._connection.send(message)
            except OSError:
                self._died = True

    def _last_word(self) -> Exception:
        """What the process sent before it ended, if that was an error."""
        try:
            answer = self._connection.recv() if self._connection.poll() else None
        except (OSError, EOFError):
            answer = None
        return answer if isinstance(answer, Exception) else RuntimeError("a process that prepares text has died")


def _work(connection: Connection, work: Callable[..., None], words: tuple[Any, ...]) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes share the cores
    try:
        work(connection, *words)
    except (EOFError, BrokenPipeError):
        pass  # the run was ended
    except Exception as problem:  # noqa: BLE001 (it is raised again in the process that asked)
        connection.send(problem)
