"""What the tests of the page in a browser share: the page at a scripted proxy, and the writer's own steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .browser import Browser, Page
from .scripted_proxy import ScriptedProxy, serving

PASSAGE = {"source": "characters/elena.md", "category": "characters", "title": "Elena", "heading": "The arm", "tokens": 61}


@contextmanager
def desk(browser: Browser, script: ScriptedProxy, **look: Any) -> Iterator[Page]:
    """The page at a scripted proxy. At its end: it asked nobody else, and the console is clean."""
    with serving(script.app()) as address, browser.page(address + "/", **look) as page:
        page.wait("document.querySelector('#stats').textContent || !document.querySelector('#key-form').hidden")
        yield page
        assert [one for one in page.requested if not one.startswith((address + "/", "blob:"))] == []
        assert page.complaints == []


def send(page: Page, text: str) -> None:
    page.evaluate("document.querySelector('#text').focus()")
    page.write(text)
    page.press("Enter")


def finished(page: Page, answers: int = 1) -> None:
    page.wait(f"document.querySelectorAll('.answer:not(.writing) .prose').length === {answers} && !document.querySelector('.writing')")
    page.wait("!document.querySelector('#send').hidden")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
