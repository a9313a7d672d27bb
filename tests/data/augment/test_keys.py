"""Keys: found by the name of their variable, and nowhere to be found afterwards."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from lorewright.data.augment import endpoint_of, providers
from lorewright.errors import LorewrightError
from tests.conftest import MakeRecipe
from tests.data.augment.conftest import ask, prompts, settings

KEY = "sk-marker-9f3a77"


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """(the current folder, the home folder), both empty, and no key in the environment."""
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    home.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(providers, "CHECKOUT", tmp_path)
    monkeypatch.delenv("XAI_API_KEY", raising=False)
    return here, home


@pytest.mark.req("Z2")
def test_the_key_comes_from_the_environment_then_env_files(homes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    here, home = homes
    xai = settings(endpoint="xai", model="grok-4")
    with pytest.raises(LorewrightError, match=r"XAI_API_KEY is not set; put XAI_API_KEY=… into \.env here or in your home folder"):
        endpoint_of(xai, "", "")
    (home / ".env").write_text('XAI_API_KEY="from-home"\n')
    assert endpoint_of(xai, "", "").key == "from-home"
    (here / ".env").write_text("export XAI_API_KEY=from-here\n")
    assert endpoint_of(xai, "", "").key == "from-here"
    monkeypatch.setenv("XAI_API_KEY", " from-environment\n")
    found = endpoint_of(xai, "", "")
    assert (found.key, found.base_url, found.model) == ("from-environment", "https://api.x.ai/v1", "grok-4")
    monkeypatch.setenv("XAI_API_KEY", "two words")
    with pytest.raises(LorewrightError, match="holds characters that no key has") as caught:
        endpoint_of(xai, "", "")
    assert "two words" not in str(caught.value)


def test_endpoints_by_name_and_by_url(homes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    own = endpoint_of(settings(), "http://127.0.0.1:8000/v1", "voice")
    assert (own.base_url, own.model, own.key, own.free) == ("http://127.0.0.1:8000/v1", "voice", "", True)
    monkeypatch.setenv("OTHER_KEY", "k")
    other = endpoint_of(settings(base_url="https://llm.example.net/v1/", key_variable="OTHER_KEY", model="x"), "", "")
    assert (other.base_url, other.key, other.free) == ("https://llm.example.net/v1", "k", False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a")
    assert endpoint_of(settings(endpoint="anthropic", model="c"), "", "").base_url == "https://api.anthropic.com/v1"
    with pytest.raises(LorewrightError, match="no model is named"):
        endpoint_of(settings(endpoint="openai"), "", "")


@pytest.mark.req("Z2")
def test_no_file_no_line_and_no_log_holds_the_key(
    serve: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Not even when the server says it back in its refusals."""
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    for status in (400, 401, 500):
        served = serve(lambda body, status=status: (status, {"error": {"message": f"the key {KEY} is bad"}}))
        with pytest.raises(LorewrightError) as caught:
            ask(served, prompts(3), tmp_path / str(status), key=KEY, retries=0, reask=0)
        said += [str(caught.value), repr(caught.value), repr(caught.value.__dict__)]
        assert served.chat.headers[0]["authorization"] == f"Bearer {KEY}"
    written = [file.read_text(encoding="utf-8") for file in tmp_path.rglob("*") if file.is_file()]
    shown = capsys.readouterr()
    assert len(written) == 9 and any("[key]" in text for text in written)
    assert [text for text in (*written, *said, shown.out, shown.err, caplog.text) if KEY in text] == []
    from lorewright.chat import Client
    from lorewright.data.augment import Endpoint

    assert KEY not in repr(Endpoint("u", "m", KEY))

    async def shown_client() -> str:
        async with Client("http://127.0.0.1:1/v1", key=KEY) as client:
            return repr(client)

    assert KEY not in asyncio.run(shown_client())


def test_a_recipe_that_holds_a_key_is_refused_without_saying_it(make_recipe: MakeRecipe) -> None:
    from lorewright.recipe import load

    for wrong in ({"key_variable": KEY}, {"base_url": f"https://user:{KEY}@host/v1"}, {"base_url": f"https://host/v1?key={KEY}"}):
        file = make_recipe(data={"sources": ["texts"], "augment": {"job": "answers", "model": "m", **wrong}})
        with pytest.raises(LorewrightError) as caught:
            load(file)
        assert KEY not in str(caught.value) and "the environment or .env" in str(caught.value)
