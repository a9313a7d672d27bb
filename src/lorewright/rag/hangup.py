"""Work for a client that may leave: when it hangs up, the work stops at once, whatever it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.types import Receive


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Runs the work, and cancels it when the client hangs up. What the work raises is raised.

    receive: of a request whose body has been read. Frameworks watch for a hang-up while they send a stream, not while a
    handler still waits, and without this the model server would generate to the end for nobody.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_hung_up(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        # Also when the server itself is stopping and cancels us.
        unfinished = [one for one in (task, gone) if not one.done()]
        for one in unfinished:
            one.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
    if not task.cancelled():
        task.result()


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
