"""Headless Chromium, driven over its DevTools protocol: real pages, real keys, and every request and error that it had."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
KEYS = {"Enter": 13, "Escape": 27, "ArrowUp": 38, "Tab": 9}
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--no-proxy-server", "--remote-debugging-port=0",
]  # fmt: skip


class Browser:
    """One connection for all pages; what comes unasked is kept under the session of its page."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.number = 0
        self.events: dict[str, list[dict[str, Any]]] = {}

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        self.socket.send(json.dumps(message))
        while True:
            got = json.loads(self.socket.recv(timeout=30))
            if got.get("id") == self.number:
                assert "error" not in got, got["error"]
                return got["result"]  # type: ignore[no-any-return]
            if "method" in got:
                self.events.setdefault(got.get("sessionId", ""), []).append(got)

    @contextmanager
    def page(self, address: str = "", width: int = 1280, height: int = 860, scheme: str = "light") -> Iterator[Page]:
        """A page with storage of its own, opened at the address."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        page = Page(self, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"], context)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.look(width, height, scheme)
        try:
            if address:
                page.open(address)
            yield page
        finally:
            self.call("Target.disposeBrowserContext", browserContextId=context)


class Page:
    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self.browser, self.session, self.context = browser, session, context

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **parameters)

    def look(self, width: int, height: int, scheme: str = "light", scale: float = 1, still: bool = True) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False)
        features = [("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce" if still else "no-preference")]
        self.call("Emulation.setEmulatedMedia", features=[{"name": name, "value": value} for name, value in features])

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete' && document.querySelector('#with-model') !== null")

    def reload(self) -> None:
        self.evaluate("window.before = true")
        self.call("Page.reload")
        self.wait("!window.before && document.readyState === 'complete'")

    def evaluate(self, script: str) -> Any:
        """The value of an expression, awaited; JSON only."""
        got = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in got, got["exceptionDetails"]
        return got["result"].get("value")

    def wait(self, script: str, seconds: float = 10) -> None:
        """Until the expression is true."""
        deadline = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({script})"):
            assert time.monotonic() < deadline, f"it did not become true: {script}\n{self.evaluate('document.body.innerText')}"
            time.sleep(0.02)

    def text(self, selector: str) -> list[str]:
        """What a reader sees in each element that fits."""
        return self.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map((one) => one.innerText)")  # type: ignore[no-any-return]

    def press(self, key: str, shift: bool = False) -> None:
        event = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key], "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown", **event, **({"text": "\r"} if key == "Enter" else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def write(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def downloads_to(self, folder: Path) -> None:
        self.browser.call("Browser.setDownloadBehavior", behavior="allow", browserContextId=self.context, downloadPath=str(folder))

    def picture(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    @property
    def requested(self) -> list[str]:
        """The address of every request so far."""
        self.call("Runtime.evaluate", expression="0")
        return [one["params"]["request"]["url"] for one in self._events("Network.requestWillBeSent")]

    @property
    def complaints(self) -> list[Any]:
        """What the console shows in red, refusals by the policy included; failed requests are the proxy's to say."""
        self.call("Runtime.evaluate", expression="0")
        logged = [one["params"]["entry"] for one in self._events("Log.entryAdded")]
        thrown = [one["params"]["exceptionDetails"] for one in self._events("Runtime.exceptionThrown")]
        written = [one["params"]["args"] for one in self._events("Runtime.consoleAPICalled") if one["params"]["type"] == "error"]
        return [entry for entry in logged if entry["source"] != "network"] + thrown + written

    def _events(self, method: str) -> list[dict[str, Any]]:
        return [event for event in self.browser.events.get(self.session, []) if event["method"] == method]


@contextmanager
def running_browser(folder: Path) -> Iterator[Browser]:
    """folder: for its profile."""
    assert CHROMIUM
    process = subprocess.Popen([CHROMIUM, *FLAGS, f"--user-data-dir={folder}"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    said = folder / "DevToolsActivePort"
    deadline = time.monotonic() + 30
    try:
        while not (said.exists() and said.read_text().count("\n")):
            assert process.poll() is None and time.monotonic() < deadline, "chromium did not start"
            time.sleep(0.05)
        port, path = said.read_text().split()
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None) as socket:
            yield Browser(socket)
    finally:
        process.terminate()
        process.wait(10)
