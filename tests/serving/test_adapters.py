"""Several voices on one base: what vLLM is told at the start, and what is sent to it while it runs."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lorewright.errors import LorewrightError, RecipeError
from lorewright.plan import make_plan
from lorewright.recipe import load
from lorewright.serving import adapters, vllm


def adapter(folder: Path, **facts: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"r": 16, "peft_type": "LORA"} | facts))
    return folder


@pytest.mark.req("F6")
def test_own_adapter_and_further_voices_lie_beside_the_base(make_recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    adapter(tmp_path / "voices" / "elena", r=40)
    own = adapter(tmp_path / "own", r=8, rank_pattern={"q_proj": 24})
    recipe = load(make_recipe(serve={"adapters": {"elena": "voices/elena"}}))
    step = make_plan(recipe).step("serve")
    assert (step.needs, str(tmp_path / "voices" / "elena") in step.files) == (("train",), True), "merging is not waited for"
    config = vllm.vllm_config(recipe, recipe.base_model, "cuda", str(own))
    assert (config["served_model_name"], config["max_lora_rank"], config["max_loras"], config["enable_lora"]) == ("small-base", 64, 2, True)
    written = yaml.safe_load(vllm.to_yaml(config, "x"))["lora-modules"]
    assert [json.loads(word) for word in written] == [
        {"name": "small", "path": str(own)}, {"name": "elena", "path": str(tmp_path / "voices" / "elena")},
    ]  # fmt: skip
    assert vllm.variables("cuda", recipe) == {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"}


def test_loading_while_running_is_for_this_machine_alone(make_recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = make_recipe(serve={"live": True, "host": "0.0.0.0"})
    assert vllm.variables("cuda", load(file)) == {}
    assert vllm.variables("cuda", load(file, ("serve.host=127.0.0.1", "serve.live=false"))) == {}


def test_a_base_alone_keeps_the_recipes_name(make_recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    adapter(tmp_path / "elena")
    recipe = load(make_recipe(serve={"adapters": {"elena": "elena"}}, axolotl=None, data=None, vllm={"max_loras": 4, "max_lora_rank": 128}))
    assert make_plan(recipe).step("serve").needs == ()
    config = vllm.vllm_config(recipe, recipe.base_model, "cuda")
    assert (config["served_model_name"], config["max_loras"], config["max_lora_rank"]) == ("small", 4, 128)


def test_mistakes_are_told_with_the_recipes_line(make_recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    adapter(tmp_path / "elena")
    with pytest.raises(RecipeError) as problem:
        load(make_recipe(serve={"adapters": {"small": "elena", "wim": "nowhere", "-x": "elena"}}, vllm={"enable_lora": True}))
    told = "\n".join(problem.value.problems)
    assert "serve.adapters.small: is the name of the recipe's own model; choose another" in told
    assert "serve.adapters.wim: nowhere: no adapter_config.json there" in told
    assert "a voice's name is letters, digits, - _ and ." in told
    assert "vllm.enable_lora: " in told and "set serve.adapters" in told
    with pytest.raises(RecipeError, match="the recipe trains no adapter and names none"):
        load(make_recipe(serve={"live": True}, axolotl=None, data=None))


@pytest.mark.parametrize(("facts", "said"), [
    ({"use_dora": True}, "an adapter with DoRA cannot be held beside the base model; serve it merged"),
    ({"modules_to_save": ["lm_head"]}, "whole modules trained beside it"), ({"r": None}, "no adapter_config.json of a LoRA adapter"),
])  # fmt: skip
def test_what_vllm_cannot_hold_is_said_before_it_starts(facts: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(LorewrightError, match=said):
        adapters.arguments({"x": str(adapter(tmp_path / "x", **facts))}, {})


def test_a_rank_beyond_vllms_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LorewrightError, match="rank 600 is more than vLLM's largest, 512"):
        adapters.arguments({"x": str(adapter(tmp_path / "x", r=600))}, {})


class Server(http.server.BaseHTTPRequestHandler):
    """vLLM's three routes, in its shapes."""

    voices: list[str] = []
    bodies: list[dict[str, Any]] = []
    takes = True

    def do_GET(self) -> None:
        self._say(200, {"data": [{"id": name} for name in ("base", *self.voices)]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.bodies.append(body)
        name = body["lora_name"]
        if not self.takes:
            self._say(404, {"detail": "Not Found"})
        elif self.path.endswith("unload_lora_adapter") and name not in self.voices:
            self._say(404, {"error": {"message": f"The lora adapter '{name}' cannot be found.", "type": "NotFoundError"}})
        else:
            (self.voices.remove if "unload" in self.path else self.voices.append)(name)
            self._say(200, {})

    def _say(self, status: int, body: Any) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Server.voices, Server.bodies, Server.takes = [], [], True
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


@pytest.mark.req("F6")
def test_voices_come_and_go_while_it_runs(server: str, tmp_path: Path, lorewright) -> None:  # type: ignore[no-untyped-def]
    folder = adapter(tmp_path / "wim")
    port = server.rpartition(":")[2]
    assert lorewright("adapter", "load", "wim", str(folder), "--port", port).stdout.split() == ["base", "wim"]
    adapters.load(server, "wim", folder)
    assert [body["load_inplace"] for body in Server.bodies] == [False, True], "one of that name is replaced"
    Server.voices = ["wim"]
    assert lorewright("adapter", "unload", "wim", "--port", port).stdout.split() == ["base"]
    again = lorewright("adapter", "unload", "wim", "--port", port)
    assert (again.returncode, again.stderr.strip()) == (
        1,
        f"{server}/v1/unload_lora_adapter: vLLM answers 404: The lora adapter 'wim' cannot be found.",
    )
    assert "load wants NAME FOLDER" in lorewright("adapter", "load", "wim").stderr


def test_a_server_that_takes_none_says_what_to_do(server: str, tmp_path: Path) -> None:
    Server.takes = False
    with pytest.raises(LorewrightError, match="takes no adapters while it runs; start it with serve.live or serve.adapters"):
        adapters.unload(server, "wim")
    with pytest.raises(LorewrightError, match="nothing answers there"):
        adapters.listed("http://127.0.0.1:9")
