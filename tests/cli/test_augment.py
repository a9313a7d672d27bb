"""lorewright augment: the verb as a user meets it, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmarks.augment_faults import server
from tests.conftest import REPO, MakeRecipe

Call = Callable[..., subprocess.CompletedProcess[str]]
KEY = "sk-marker-51c0de"


@pytest.mark.req("Z2", "Z3")
def test_prompts_in_pairs_out(lorewright: Call, make_recipe: MakeRecipe, tmp_path: Path) -> None:
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps({"id": n, "prompt": f"Bell {n}?"}) + "\n" for n in range(5)))
    with server(0.0, seed=1) as url:
        asked = {"job": "answers", "base_url": url, "model": "m", "key_variable": "SOME_API_KEY"}
        recipe = make_recipe(data={"sources": ["texts"], "augment": asked})
        words = ["augment", str(recipe), "--prompts", str(tmp_path / "prompts.jsonl"), "--output", str(tmp_path / "out")]
        missing = lorewright(*words, HOME=str(tmp_path))
        assert (missing.returncode, missing.stdout) == (1, "")
        assert missing.stderr.startswith("SOME_API_KEY is not set; put SOME_API_KEY=…") and missing.stderr.count("\n") == 1
        first = lorewright(*words, "--limit", "2", SOME_API_KEY=KEY)
        assert first.returncode == 0, first.stderr
        done = lorewright(*words, SOME_API_KEY=KEY)
    assert done.stdout.strip() == str(tmp_path / "out/answers.jsonl"), done.stderr
    assert "2 of 5 prompts settled earlier; 3 to ask of m" in done.stderr
    rows = [json.loads(line) for line in (tmp_path / "out/answers.jsonl").read_text().splitlines()]
    assert [(row["prompt"], row["completion"]) for row in rows] == [(f"Bell {n}?", f"Answer to: Bell {n}?") for n in range(5)]
    written = [file.read_text() for file in (tmp_path / "out").iterdir()]
    assert [text for text in (*written, first.stderr, done.stderr, done.stdout) if KEY in text] == []


def test_a_recipe_that_asks_nobody(lorewright: Call, make_recipe: MakeRecipe, tmp_path: Path) -> None:
    done = lorewright("augment", str(make_recipe()), "--prompts", str(tmp_path / "none.txt"), "--output", str(tmp_path / "out"))
    assert done.returncode == 1 and "does not say whom to ask; add data.augment" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_says_what_it_has_and_goes_on_later(number: signal.Signals, make_recipe: MakeRecipe, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("".join(f"Bell {n}?\n" for n in range(60)))
    journal = tmp_path / "out/journal.jsonl"
    with server(0.0, seed=1, slow=0.1) as url:
        asked = {"job": "answers", "base_url": url, "model": "m", "in_flight": 2}
        recipe = make_recipe(data={"sources": ["texts"], "augment": asked})
        words = ["augment", str(recipe), "--prompts", str(tmp_path / "prompts.txt"), "--output", str(tmp_path / "out")]
        command, settings = [sys.executable, "-m", "lorewright.cli", *words], os.environ | {"PYTHONPATH": str(REPO / "src")}
        # tests that run in the background ignore SIGINT, and so would their children
        heeds = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(command, env=settings, stderr=subprocess.PIPE, text=True, preexec_fn=heeds)
        while not journal.exists() or journal.read_bytes().count(b"\n") < 5:
            time.sleep(0.02)
        process.send_signal(number)
        said = process.communicate(timeout=20)[1]
        kept = journal.read_text().count("\n")
        done = subprocess.run([*command, "--set", "data.augment.in_flight=30"], env=settings, capture_output=True, text=True)
    assert process.returncode == 130 and "Traceback" not in said and said.endswith("run the same command to go on\n")
    assert f"{kept} of 60 prompts answered" in said and 5 <= kept < 60
    assert done.returncode == 0 and f"{kept} of 60 prompts settled earlier" in done.stderr
    assert journal.read_text().count("\n") == 60
