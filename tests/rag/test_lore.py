"""A proxy that runs takes up the index that an ingest has put in place, and nothing else."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import chromadb
import httpx
import pytest

from lorewright.errors import LorewrightError
from lorewright.locks import unheld
from lorewright.rag import lore as following
from lorewright.rag.chunk import Passage
from lorewright.rag.store import Index, open_index, write_index

from .fakes import WordEmbedder, running_proxy, wait_until
from .test_upstream import CHAT, REQUEST
from .upstream_server import UpstreamServer


def index(folder: Path, text: str, **stamp: Any) -> Path:
    """An index of one passage below the folder."""
    passages = [Passage(f"Elara > Arm\n\n{text}", f"characters/{text.split()[-1]}md", "characters", "Elara", "Arm")]
    write_index(folder / "index", passages, WordEmbedder().passages([passages[0].text]), {"embedding_model": "words"} | stamp)
    return folder


def point(link: Path, folder: Path) -> None:
    """As an ingest does it: the link is replaced in one step."""
    beside = link.with_name("beside")
    beside.symlink_to(folder)
    beside.replace(link)


class Desk:
    """A proxy on a link, and its client."""

    def __init__(self, link: Path, client: httpx.Client) -> None:
        self.link, self.client = link, client

    def stats(self) -> dict[str, Any]:
        return dict(self.client.get("/stats").json())

    def told(self) -> str:
        """The passage that the next question is given."""
        answer = self.client.post(CHAT, json=REQUEST)
        assert answer.status_code == 200, answer.text
        (passage,) = self.client.get("/v1/lore/last").json()["passages"]
        return str(passage["text"]).rpartition("\n")[2]

    def looked(self) -> bool:
        return self.client.get("/health?lore=newest").status_code == 200


@contextmanager
def desk(upstream: UpstreamServer, tmp_path: Path, embedder: WordEmbedder | None = None) -> Iterator[Desk]:
    link = tmp_path / "latest"
    link.symlink_to(index(tmp_path / "lore" / "one", "Her arm is of steel."))
    with (
        running_proxy(upstream.address, None, embedder, index=link / "index") as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        yield Desk(link, client)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PAUSE", 0.02)


@pytest.mark.req("F7", "F8")
def test_a_new_index_is_taken_up_while_requests_go_on(upstream: UpstreamServer, tmp_path: Path) -> None:
    told, stop = list[str](), threading.Event()
    with desk(upstream, tmp_path) as running:

        def ask() -> None:
            while not stop.is_set():
                told.append(running.told())

        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(lambda: "Her arm is of steel." in told)
        for name in ("brass", "wood", "glass"):
            point(running.link, index(tmp_path / "lore" / name, f"Her arm is of {name}."))
            wait_until(lambda made=name: f"Her arm is of {made}." in told)  # type: ignore[misc]
        stop.set()
        asking.join(30)
        assert list(dict.fromkeys(told)) == [f"Her arm is of {name}." for name in ("steel", "brass", "wood", "glass")]
        shown = running.stats()
        assert (shown["index"], shown["index_refused"]) == ("glass", None)
        wait_until(lambda: all(is_free(tmp_path / "lore" / name) for name in ("one", "brass", "wood")))
        assert not is_free(tmp_path / "lore/glass"), "it is open"


def is_free(folder: Path) -> bool:
    with unheld(folder / "index") as free:
        return free


@pytest.mark.req("F7")
def test_an_index_made_anew_under_the_same_name_is_another(upstream: UpstreamServer, tmp_path: Path) -> None:
    with desk(upstream, tmp_path) as running:
        assert running.told() == "Her arm is of steel."
        made = index(tmp_path / "lore" / "beside", "Her arm is of glass.")
        (tmp_path / "lore/one").rename(tmp_path / "lore/one.replaced")
        assert running.told() == "Her arm is of steel.", "an index is what was opened, whatever its folder is called now"
        made.rename(tmp_path / "lore/one")
        wait_until(running.looked)
        assert running.told() == "Her arm is of glass."


@pytest.mark.req("F7")
def test_a_request_keeps_the_index_that_it_began_with(upstream: UpstreamServer, tmp_path: Path) -> None:
    slow, at_it, going = threading.Event(), threading.Event(), threading.Event()

    def gate() -> None:
        if slow.is_set():
            slow.clear()
            at_it.set()
            assert going.wait(30)

    with desk(upstream, tmp_path, WordEmbedder(gate)) as running:
        slow.set()
        told: list[str] = []
        asking = threading.Thread(target=lambda: told.append(running.told()))
        asking.start()
        assert at_it.wait(30)
        point(running.link, index(tmp_path / "lore" / "two", "Her arm is of glass."))
        wait_until(lambda: running.stats()["index"] == "two")
        for _ in range(3):  # looks for what may be closed
            os.utime(running.link, follow_symlinks=False)
            wait_until(running.looked)
        assert not is_free(tmp_path / "lore/one"), "the request searches it"
        going.set()
        asking.join(30)
        assert told == ["Her arm is of steel."]
        wait_until(lambda: is_free(tmp_path / "lore/one"))


def damaged(folder: Path) -> Path:
    made = index(folder, "Her arm is of glass.")
    (made / "index/passages.sqlite").write_bytes(b"no database")
    return made


def of_another_length(folder: Path) -> Path:
    made = index(folder, "Her arm is of glass.")
    stamp = made / "index/stamp.json"
    stamp.write_text(json.dumps(json.loads(stamp.read_text()) | {"dimension": 65}))
    return made


@pytest.mark.req("F7")
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda lore: index(lore / "two", "Her arm is of glass.", embedding_model="others"), "was made with others"),
        (lambda lore: index(lore / "two", "Her arm is of glass.", embedding_files="abc"), "the files of the embedding model have changed"),
        (lambda lore: of_another_length(lore / "two"), "cannot be read"),
        (lambda lore: index(lore.parent / "other" / "two", "Her arm is of glass."), "another collection's"),
        (lambda lore: damaged(lore / "two"), "passages of the lore index cannot be read"),
    ],
)
def test_what_does_not_belong_there_is_not_taken_up_and_told(
    make: Callable[[Path], Path], reason: str, upstream: UpstreamServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with desk(upstream, tmp_path) as running:
        point(running.link, make(tmp_path / "lore"))
        wait_until(lambda: running.stats()["index_refused"])
        assert reason in running.stats()["index_refused"]
        assert running.told() == "Her arm is of steel."
        waited_for = running.client.get("/health?lore=newest")
        assert (waited_for.status_code, "is not taken up: " in waited_for.text) == (503, True)
        assert [record.message.partition(":")[0] for record in caplog.records] == ["the new index is not taken up, the old one goes on"]
        point(running.link, index(tmp_path / "lore" / "three", "Her arm is of wood."))
        wait_until(lambda: running.told() == "Her arm is of wood.")
        assert running.stats()["index_refused"] is None


class Panic(BaseException):
    """As Chroma's Rust part raises it: no Exception."""


@pytest.mark.req("F7")
@pytest.mark.parametrize("problem", [OSError(24, "Too many open files"), KeyError("row"), Panic("no file descriptor")])
def test_what_goes_wrong_once_is_tried_again(
    problem: BaseException, upstream: UpstreamServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, fails = following.open_index, [problem] * 3

    def opened(folder: Path) -> Index:
        if fails:
            raise fails.pop()
        return real(folder)

    with desk(upstream, tmp_path) as running:
        monkeypatch.setattr(following, "open_index", opened)
        point(running.link, index(tmp_path / "lore" / "two", "Her arm is of glass."))
        wait_until(lambda: running.stats()["index_refused"])
        assert str(problem) in running.stats()["index_refused"] and not running.looked()
        wait_until(running.looked)
        assert (running.told(), running.stats()["index_refused"], fails) == ("Her arm is of glass.", None, [])


def test_a_panic_while_an_index_is_opened_lets_go_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def panic(**more: object) -> None:
        raise Panic("no file descriptor")

    folder = index(tmp_path / "one", "Her arm is of steel.")
    monkeypatch.setattr(chromadb, "PersistentClient", panic)
    with pytest.raises(LorewrightError, match="the lore index cannot be opened: no file descriptor"):
        open_index(folder / "index")
    assert is_free(folder)


def test_a_link_that_leads_nowhere_changes_nothing(upstream: UpstreamServer, tmp_path: Path) -> None:
    with desk(upstream, tmp_path) as running:
        point(running.link, tmp_path / "lore" / "missing")
        assert running.looked()
        assert running.told() == "Her arm is of steel."


def test_who_waits_for_the_newest_index_is_told_when_it_serves(
    upstream: UpstreamServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_look, real = threading.Event(), following.Lore.look

    def look(lore: following.Lore, embedder: WordEmbedder) -> None:
        if may_look.is_set():
            real(lore, embedder)

    monkeypatch.setattr(following.Lore, "look", look)
    with desk(upstream, tmp_path) as running:
        assert running.looked()
        point(running.link, index(tmp_path / "lore" / "two", "Her arm is of glass."))
        assert not running.looked()
        assert running.client.get("/health").status_code == 200
        may_look.set()
        wait_until(running.looked)
        assert running.told() == "Her arm is of glass."
