"""A model that is not here: may it be had? Each refusal of the hub has its own line and remedy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lorewright.preflight.base_model import base_model
from tests.preflight.hub import Card, Hub
from tests.weights import write_model

NAME = "org/voice-8B"
TWO = ({"model.a.weight": (64, 32)}, {"model.b.weight": (32, 64)})


def said(name: str = NAME) -> tuple[str, str]:
    found = base_model(name)[1]
    return found.state, found.text


def cached(home: Path, name: str = NAME, commit: str = "c0ffee") -> Path:
    """A model in the hub's cache, laid out as its library does: the snapshot's files are links to blobs."""
    place = home / "hub" / f"models--{name.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(commit)
    made, snapshot = write_model(place / "made", *TWO), place / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (place / "blobs").mkdir()
    for file in made.iterdir():
        file.rename(place / "blobs" / f"blob-{file.name}")
        (snapshot / file.name).symlink_to(f"../../blobs/blob-{file.name}")
    shutil.rmtree(made)
    return snapshot


def test_an_open_model_may_be_fetched(hub: Hub) -> None:
    hub.models[NAME] = Card()
    model, found = base_model(NAME)
    assert (found.state, found.said) == ("ok", f"{NAME} may be fetched from the hub, 15.0 GiB to come")
    assert (model.parameters, model.template, model.to_fetch) == (8_030_261_248, True, 15 * 2**30)
    assert hub.asked == [f"GET /api/models/{NAME}"], "an open model is asked for once, and nothing is fetched"


@pytest.mark.req("R2")
def test_a_gated_model_without_a_token(hub: Hub) -> None:
    hub.models[NAME] = Card(gated=True)
    assert said() == (
        "bad",
        f"{NAME} is gated, and there is no token; accept its licence at https://huggingface.co/{NAME} and put HF_TOKEN=hf_… into .env "
        "(https://huggingface.co/settings/tokens)",
    )


@pytest.mark.req("R2")
def test_a_gated_model_with_a_token_that_may(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.models[NAME], hub.tokens = Card(gated=True, allowed=("hf_mine",)), {"hf_mine"}
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    assert said()[0] == "ok"
    assert hub.asked[1:] == [f"HEAD /{NAME}/resolve/main/config.json"]


@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        (
            "you are not in the authorized list",
            f"the licence of {NAME} is not accepted by the account of the token in HF_TOKEN; accept it at",
        ),
        (
            "Your request to access model is awaiting a review from the repo authors.",
            f"the request for {NAME} has not been answered yet; wait",
        ),
        (
            "Please enable access to public gated repositories in your fine-grained token settings",
            "the token in HF_TOKEN may not read gated",
        ),
    ],
)
def test_a_token_whose_account_may_not(hub: Hub, monkeypatch: pytest.MonkeyPatch, refusal: str, text: str) -> None:
    hub.models[NAME], hub.tokens = Card(gated=True, refusal=refusal), {"hf_mine"}
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    state, line = said()
    assert state == "bad" and line.startswith(text)
    assert "hf_mine" not in line, "a token is never shown"


def test_a_wrong_token_is_told_from_a_missing_licence(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub.models[NAME] = Card()
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text("hf_old\n")
    file = str(tmp_path / "hf" / "token")
    monkeypatch.setenv("HF_TOKEN_PATH", file)
    monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", "hf_wrong")
    assert said() == (
        "bad",
        "the hub does not know the token in HUGGING_FACE_HUB_TOKEN; make a new one at https://huggingface.co/settings/tokens and put it into "
        ".env as HF_TOKEN",
    )


def test_names_and_revisions_that_are_not_there(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.models[NAME] = Card(revisions=("main", "v2"))
    assert said(f"{NAME}@v2")[0] == "ok"
    assert said(f"{NAME}@v3")[1].startswith(f"{NAME} has no revision v3; see https://huggingface.co/{NAME}/tree/main")
    assert said("org/none")[1] == (
        "the hub has no model org/none that is open to all (a private one needs HF_TOKEN in .env); check base_model"
    )
    assert said("a/b/c")[1].startswith("a/b/c is no name that the hub can have")
    hub.tokens = {"hf_mine"}
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    assert said("org/none")[1] == "the hub has no model org/none that the token's account may see; check base_model"


def test_a_hub_that_is_ill_or_away(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.broken = 503
    assert said()[1].startswith(f"the hub answers 503 for {NAME}; try again later")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    state, line = said()
    assert state == "bad"
    assert line.startswith(f"{NAME} is not on this machine, and http://127.0.0.1:9 cannot be reached (")
    assert line.endswith("; check the network, or point base_model at a folder that holds the model")


def test_a_model_of_adapters_alone_is_none(hub: Hub) -> None:
    hub.models[NAME] = Card(files={"adapter_config.json": 10, "config.json": 10})
    assert said() == ("bad", f"{NAME} on the hub has no weights and no tokenizer; choose a base_model that stands by itself")


def test_what_is_whole_in_the_cache_needs_no_hub(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached(tmp_path / "hf")
    for offline in ("", "1"):
        monkeypatch.setenv("HF_HUB_OFFLINE", offline)
        state, line = said()
        assert (state, line[: line.index("(")]) == ("ok", f"{NAME}, whole in the hub's cache ")
    assert hub.asked == []


def test_offline_never_asks_and_says_what_is_missing(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.models[NAME] = Card()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert said()[1].startswith(f"{NAME} is not on this machine, and HF_HUB_OFFLINE forbids to fetch it; unset it for one run, or")
    snapshot = cached(tmp_path / "hf")
    (snapshot / "model-00002-of-00002.safetensors").resolve().unlink()
    assert said() == (
        "bad",
        f"{NAME} is not whole in the hub's cache: model-00002-of-00002.safetensors is missing, and HF_HUB_OFFLINE forbids to fetch it; "
        "unset it for one run, or point base_model at a folder that holds the model",
    )
    assert hub.asked == []


def test_only_what_is_not_cached_is_still_to_come(hub: Hub, tmp_path: Path) -> None:
    hub.models[NAME] = Card()
    snapshot = cached(tmp_path / "hf")
    (snapshot / "model-00002-of-00002.safetensors").unlink()
    assert base_model(NAME)[0].to_fetch == 5 * 2**30
