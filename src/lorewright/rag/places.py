"""A bounded queue before the model server: so many at once, so many waiting, and the rest is told when to come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from lorewright.rag.api_error import ApiError

LONGEST_RETRY = 60  # seconds


class Places:
    """active, waiting: how many there are now. typical: seconds that a request takes, for the time to come back after.

    Used on the event loop only, so it needs no lock. First come, first served.
    """

    def __init__(self, active: int, waiting: int, patience: float, typical: Callable[[], float]) -> None:
        self.most_active, self.most_waiting = active, waiting
        self.active = self.waiting = self.refused = 0
        self._patience, self._typical = patience, typical
        self._free = asyncio.Semaphore(active)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Holds a place. Raises ApiError 429 where too many wait already, 503 where the wait is too long."""
        if self._free.locked():
            await self._wait()
        else:
            await self._free.acquire()  # does not wait
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1
            self._free.release()

    async def _wait(self) -> None:
        if self.waiting >= self.most_waiting:
            self.refused += 1
            said = f"{self.active} requests are being answered and {self.waiting} wait; try again later"
            raise ApiError(429, said, "rate_limit_error", code="rate_limit_exceeded", headers={"retry-after": str(self.retry_after())})
        self.waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            self.refused += 1
            said = f"no turn came within {self._patience:g} s; the recipe's rag.max_active and rag.timeouts.queue set this"
            raise ApiError(503, said, "overloaded_error", headers={"retry-after": str(self.retry_after())}) from None
        finally:
            self.waiting -= 1

    def retry_after(self) -> int:
        """Whole seconds until those that wait now are likely to have begun."""
        return max(1, min(LONGEST_RETRY, round(self._typical() * (self.waiting + 1) / self.most_active)))
