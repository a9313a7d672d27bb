"""How long to wait: between calls, before a call is tried again, and when the server names the time itself."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

LONGEST_TOLD = 600.0  # a server's own wish is followed up to here


@dataclass(frozen=True)
class Patience:
    """timeout: seconds for one whole answer. retries: how often a failed call is tried again. first, longest: seconds of backoff."""

    timeout: float = 120.0
    retries: int = 5
    first: float = 0.5
    longest: float = 60.0

    def wait(self, attempt: int) -> float:
        """Seconds before the next try: doubled each time, and spread, so that calls that failed together do not come back together."""
        return random.uniform(0.5, 1.0) * min(self.longest, self.first * 2.0 ** min(attempt, 30))  # noqa: S311 (no secret)


@dataclass
class Pace:
    """Spaces the starts of calls. between: seconds from one start to the next, retries included; 0 means no limit."""

    between: float = 0.0
    next_start: float = 0.0
    held_until: float = 0.0

    @classmethod
    def of(cls, sleep: float, rpm: float) -> Pace:
        """sleep: least seconds between calls. rpm: most requests a minute, 0 for no limit. The stricter one counts."""
        return cls(max(sleep, 60.0 / rpm if rpm else 0.0))

    async def turn(self) -> None:
        """Returns when a call may start."""
        now = time.monotonic()
        start = max(now, self.next_start)
        self.next_start = start + self.between
        if start > now:
            await asyncio.sleep(start - now)
        while (rest := self.held_until - time.monotonic()) > 0:  # noqa: ASYNC110 (it may be held anew meanwhile)
            await asyncio.sleep(rest)

    def hold(self, seconds: float) -> None:
        """Nobody starts for so long: the server asked for it, and its limit is shared by all calls."""
        self.held_until = max(self.held_until, time.monotonic() + seconds)


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asked us to wait (Retry-After: seconds or a date; retry-after-ms); 0 when it did not say."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return min(LONGEST_TOLD, max(0.0, float(headers.get(name, "")) * scale))
        except ValueError:
            continue
    try:
        return min(LONGEST_TOLD, max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time()))
    except (ValueError, TypeError, OverflowError):
        return 0.0
