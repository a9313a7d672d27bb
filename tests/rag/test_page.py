"""The page as files: served with the right types and policy, complete, and with nothing in it that leads outside."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest

from lorewright.rag.page import HERE, TYPES

FILES = sorted(file.name for file in HERE.iterdir() if file.suffix in TYPES)
SCRIPTS = [name for name in FILES if name.endswith(".js")]
KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
SVG = "http://www.w3.org/2000/svg"  # a name, which nobody fetches


def read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def address(name: str) -> str:
    return "/" if name == "index.html" else f"/page/{name}"


@pytest.mark.req("F8")
@pytest.mark.parametrize("name", FILES)
def test_each_file_is_served_with_its_type_and_a_strict_policy(proxy: httpx.Client, name: str) -> None:
    answer = proxy.get(address(name))
    assert (answer.status_code, answer.content) == (200, (HERE / name).read_bytes())
    assert answer.headers["content-type"] == KINDS[name.rpartition(".")[2]]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[f"{kind}-src"] for kind in ("script", "style", "connect", "img")} == {"'self'"}
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_a_file_is_sent_again_only_when_it_changed(proxy: httpx.Client) -> None:
    first = proxy.get("/page/desk.css")
    again = proxy.get("/page/desk.css", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert "content-security-policy" in again.headers
    assert proxy.get("/page/desk.css", headers={"if-none-match": '"other"'}).status_code == 200
    assert len({proxy.get(address(name)).headers["etag"] for name in FILES}) == len(FILES)
    assert proxy.head("/").headers["content-length"] == str(len((HERE / "index.html").read_bytes()))


@pytest.mark.parametrize(
    "path", ["/page", "/page/", "/page/nothing.js", "/page/__init__.py", "/page/%2e%2e/app.py", "/index.html", "/desk.js"]
)
def test_other_paths_are_not_there(proxy: httpx.Client, path: str) -> None:
    answer = proxy.get(path)
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "invalid_request_error")


def test_the_page_is_only_read(proxy: httpx.Client) -> None:
    assert [proxy.request(method, "/").status_code for method in ("POST", "PUT", "DELETE")] == [405, 405, 405]


@pytest.mark.parametrize("name", FILES)
def test_nothing_leads_outside(name: str) -> None:
    text = read(name).replace(SVG, "")
    assert re.findall(r"https?:|wss?:|['\"(]//|@import|@font-face|url\(", text) == []


def test_whatever_is_linked_is_there() -> None:
    page = read("index.html")
    linked = re.findall(r"(?:src|href)=\"page/([^\"]+)\"", page)
    imported = [found for name in SCRIPTS for found in re.findall(r"from \"\./([^\"]+)\"", read(name))]
    assert set(linked) | set(imported) == set(FILES) - {"index.html"}
    wanted = {found for name in SCRIPTS for found in re.findall(r"byId\(\"([^\"]+)\"\)", read(name))}
    assert wanted
    assert wanted - set(re.findall(r"\bid=\"([^\"]+)\"", page)) == set()


def test_text_never_becomes_markup() -> None:
    for name in SCRIPTS:
        assert (
            re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|srcdoc", read(name)) == []
        )
    page = read("index.html")
    assert re.findall(r"\bon\w+=|\bstyle=|<style|javascript:", page) == []
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []


def test_every_field_has_a_label() -> None:
    page = read("index.html")
    fields = re.findall(r"<(?:input|select|textarea)\b[^>]*\bid=\"([^\"]+)\"", page)
    labelled = re.findall(r"<label[^>]*\bfor=\"([^\"]+)\"", page)
    within = re.findall(r"<label[^>]*>\s*<input[^>]*\bid=\"([^\"]+)\"", page)
    assert len(fields) >= 7
    assert set(fields) == set(labelled) | set(within)


def test_the_wheel_carries_the_page(repo: Path, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=repo, capture_output=True, check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        assert {f"lorewright/rag/page/{name}" for name in FILES} <= set(wheel.namelist())
