"""The bounded queue before the model server."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from lorewright.rag.api_error import ApiError
from lorewright.rag.places import Places
from lorewright.recipe.model import Timeouts

from .conftest import JSON_ANSWER
from .fakes import running_proxy, wait_until
from .test_upstream import CHAT, REQUEST
from .upstream_server import Reply, UpstreamServer


@pytest.mark.req("F8")
def test_more_than_may_wait_are_told_when_to_come_back(upstream: UpstreamServer) -> None:
    upstream.replies[CHAT] = Reply((JSON_ANSWER,), length=True, wait=(release := threading.Event()))
    with running_proxy(upstream.address, max_active=2, max_waiting=1) as port, ThreadPoolExecutor(3) as pool:
        url = f"http://127.0.0.1:{port}"
        first = [pool.submit(httpx.post, f"{url}{CHAT}", json=REQUEST) for _ in range(3)]
        wait_until(lambda: httpx.get(f"{url}/stats").json()["waiting"] == 1)
        assert httpx.get(f"{url}/stats").json()["active"] == 2
        assert len(upstream.bodies()) == 2
        refused = httpx.post(f"{url}{CHAT}", json=REQUEST)
        error = refused.json()["error"]
        assert (refused.status_code, error["type"], error["code"]) == (429, "rate_limit_error", "rate_limit_exceeded")
        assert "2 requests are being answered and 1 wait" in error["message"]
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        release.set()
        assert [one.result().status_code for one in first] == [200] * 3
        stats = httpx.get(f"{url}/stats").json()
        assert (stats["active"], stats["waiting"]) == (0, 0)
        assert 'lorewright_requests_total{path="/v1/chat/completions",status="429"} 1' in httpx.get(f"{url}/metrics").text


def test_no_turn_in_time_is_a_503(upstream: UpstreamServer) -> None:
    upstream.replies[CHAT] = Reply((JSON_ANSWER,), length=True, wait=(release := threading.Event()))
    with running_proxy(upstream.address, max_active=1, timeouts=Timeouts(queue=0.05)) as port, ThreadPoolExecutor(1) as pool:
        first = pool.submit(httpx.post, f"http://127.0.0.1:{port}{CHAT}", json=REQUEST)
        wait_until(lambda: upstream.bodies())
        late = httpx.post(f"http://127.0.0.1:{port}{CHAT}", json=REQUEST)
        assert (late.status_code, late.json()["error"]["type"]) == (503, "overloaded_error")
        assert "rag.timeouts.queue" in late.json()["error"]["message"]
        release.set()
        assert first.result().status_code == 200


def test_first_come_first_served_and_who_leaves_gives_up_the_turn() -> None:
    async def scene() -> list[int]:
        places, order, go = Places(1, 10, 5, lambda: 1.0), list[int](), asyncio.Event()

        async def one(number: int) -> None:
            async with places.one():
                order.append(number)
                await go.wait()

        tasks = [asyncio.create_task(one(number)) for number in range(5)]
        await asyncio.sleep(0.01)
        assert (places.active, places.waiting) == (1, 4)
        tasks[2].cancel()
        await asyncio.sleep(0.01)
        assert places.waiting == 3
        go.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (places.active, places.waiting) == (0, 0)
        async with places.one():
            pass
        return order

    assert asyncio.run(scene()) == [0, 1, 3, 4]


def test_the_time_to_come_back_after_follows_the_queue() -> None:
    async def scene() -> None:
        places = Places(2, 0, 1, lambda: 30.0)
        assert places.retry_after() == 15
        places.waiting = 100
        assert places.retry_after() == 60
        async with places.one(), places.one():
            with pytest.raises(ApiError) as caught:
                async with places.one():
                    pass
        assert caught.value.status == 429

    asyncio.run(scene())
