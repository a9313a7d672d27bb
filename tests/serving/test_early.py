"""What vLLM would refuse after a training is refused before it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from lorewright.errors import LorewrightError
from lorewright.recipe import load
from lorewright.serving.early import check_serving


@pytest.mark.parametrize(("changes", "said"), [
    ({"serve": {"preset": "qwen"}}, "serve.preset: there is no 'qwen'"), ({"serve": {"thinking": True}}, "serve.thinking: on is nothing that"),
    ({"serve": {"live": True}, "axolotl": {"adapter": "lora", "peft_use_dora": True}}, "DoRA cannot be held beside the base model; take serve.live"),
    ({"chat_template": "broken.jinja"}, "broken.jinja:1: the chat template cannot be used"), ({"serve": {"adapters": {"x": "x"}}}, "serve it merged"),
])  # fmt: skip
def test_it_is_told_before_anything_is_made(changes: dict[str, object], said: str, make_recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "broken.jinja").write_text("{{ x }")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "adapter_config.json").write_text(json.dumps({"r": 8, "use_dora": True}))
    with pytest.raises(LorewrightError, match=said):
        check_serving(load(make_recipe(**changes)))


@pytest.mark.req("F6")
def test_run_and_validate_ask_for_it(make_recipe, lorewright: Callable[..., CompletedProcess[str]]) -> None:  # type: ignore[no-untyped-def]
    file = str(make_recipe(serve={"thinking": "low"}))
    for verb in ("run", "validate"):
        done = lorewright(verb, file)
        assert (done.returncode, done.stdout) == (1, "")
        assert "serve.thinking: low is nothing that this model takes" in done.stderr
