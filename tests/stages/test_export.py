"""The export's stages and verb, with a stand-in for llama.cpp: what is made once, what is refused, what an interruption leaves."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lorewright import envs
from lorewright.cli import main
from lorewright.errors import LorewrightError, RecipeError
from lorewright.manifest import read_json
from lorewright.models.export import tools
from lorewright.recipe import load
from lorewright.runner import Choice, execute
from lorewright.stages import Run
from tests.conftest import FAKES, MakeRecipe, _executable
from tests.models.export.test_go_template import CHATML

RunOf = Callable[..., Run]
ALL = Choice(only=("prepare", "train", "merge", "gguf", "export"))
OF_A_FOLDER = Choice(only=("gguf", "export"))
UNTRAINED: dict[str, Any] = {"axolotl": None, "data": None}
CHUNK = {"unit": "words", "min": 20, "max": 80}


@pytest.fixture
def exports(make_recipe: MakeRecipe, fake_tools: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a recipe that exports; its base model has a chat template."""
    env = envs.locate("export").path
    (env / "bin").mkdir(parents=True)
    _executable(env / "bin" / "python", f"#!{sys.executable}\n" + (FAKES / "export_python.py").read_text())
    converter = env / "lib" / "python3.11" / "site-packages" / "llama_cpp" / "converter"
    converter.mkdir(parents=True)
    (converter / "convert_hf_to_gguf.py").touch()

    def make(export: Any, template: str = CHATML, **changes: Any) -> Path:
        file = make_recipe(export=export, **changes)
        (tmp_path / "base" / "tokenizer_config.json").write_text(json.dumps({"chat_template": template, "bos_token": "<s>"}))
        return file

    return make


def calls(file: Path, script: str) -> list[list[str]]:
    found = [json.loads(line)["argv"] for line in file.read_text().splitlines()]
    return [argv[1:] for argv in found if argv[0] == script]


@pytest.mark.req("S4")
def test_files_cards_and_modelfile_stand_in_one_folder(exports: Callable[..., Path], run_of: RunOf, fake_tools: Path) -> None:
    run = run_of(exports({"gguf": ["q4_k_m", "BF16"], "ollama": "voice"}))
    execute(run, ALL)
    folder = run.done["export"]
    assert {path.name for path in folder.iterdir()} == {
        "small-Q4_K_M.gguf", "small-BF16.gguf", "Modelfile", "README.md", "lineage.json", "step.json",
    }  # fmt: skip
    made = run.done["gguf"] / "model.gguf"
    assert (folder / "small-BF16.gguf").samefile(made), "the model's own precision is not written twice"
    assert json.loads(made.read_text())["type"] == "bf16"
    assert json.loads(made.read_text())["add_bos"] is False, "its template writes none"
    assert [words[2] for words in calls(fake_tools, "quantise_gguf.py")] == ["15"]
    modelfile = (folder / "Modelfile").read_text()
    assert "FROM ./small-Q4_K_M.gguf\n" in modelfile and "<|im_start|>" in modelfile
    card, lineage = (folder / "README.md").read_text(encoding="utf-8"), read_json(folder / "lineage.json")
    assert lineage["export"]["files"]["small-Q4_K_M.gguf"]["sha256"] in card
    assert "ollama create voice -f Modelfile" in card and "| Q4_K_M | 15 hears: " in card
    assert "made with | " in card and str(run.paths.root) not in card
    assert set(lineage["sources"]) == {f"0/texts/{number}.txt" for number in range(4)}, "with their hashes"
    assert "took" not in lineage
    assert read_json(run.done["merge"] / "merged" / "lineage.json")["fingerprint"] == lineage["fingerprint"]


def test_another_type_is_not_converted_again(exports: Callable[..., Path], run_of: RunOf, fake_tools: Path) -> None:
    file = exports({"gguf": "Q4_K_M", "model": "base"}, **UNTRAINED)
    execute(run_of(file), OF_A_FOLDER)
    execute(run_of(file, "export.gguf=[Q8_0, Q4_K_M]"), OF_A_FOLDER)
    assert len(calls(fake_tools, "convert_hf_to_gguf.py")) == 1
    assert [words[2] for words in calls(fake_tools, "quantise_gguf.py")] == ["15", "7", "15"]


def test_a_type_that_fails_leaves_the_finished_ones(
    exports: Callable[..., Path], run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_QUANTISER", "12")
    run = run_of(exports({"gguf": ["Q8_0", "Q3_K_M"], "model": "base"}, **UNTRAINED))
    with pytest.raises(LorewrightError, match="only with an importance matrix"):
        execute(run, OF_A_FOLDER)
    assert not run.paths.latest(run.plan.step("export")).exists()
    partial = next((run.paths.home / "export").glob("*.partial"))
    assert [file.name for file in partial.glob("*.gguf")] == ["small-Q8_0.gguf"], "nothing half is left"
    (partial / "WORK.small-Q3_K_M.gguf").write_text("cut off by a power cut")
    monkeypatch.delenv("FAKE_QUANTISER")
    execute(run_of(run.recipe.file), Choice(only=("export",)))
    assert [words[2] for words in calls(fake_tools, "quantise_gguf.py")] == ["7", "12", "12"]
    assert not list(run.paths.home.glob("export/*/WORK.*"))


def test_what_llama_cpp_cannot_take_is_said_in_one_line(
    exports: Callable[..., Path], run_of: RunOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_CONVERTER", "new tokenizer")
    with pytest.raises(LorewrightError, match="llama.cpp does not know this model's tokenizer.*SentencePiece tokenizer.model"):
        execute(run_of(exports({"gguf": "F16", "model": "base"}, **UNTRAINED)), OF_A_FOLDER)
    monkeypatch.delenv("FAKE_CONVERTER")
    monkeypatch.setenv("FAKE_SILENT", "F16")
    with pytest.raises(LorewrightError, match="the F16 file loads and says nothing"):
        execute(run_of(exports({"gguf": "F16", "model": "base"}, **UNTRAINED)), OF_A_FOLDER)
    with pytest.raises(LorewrightError, match="no Ollama template can be written"):
        file = exports({"gguf": "Q4_0", "ollama": "v", "model": "base"}, template="{{ messages }}", recipe="other", **UNTRAINED)
        execute(run_of(file), OF_A_FOLDER)


def test_too_little_room_is_told_before(
    exports: Callable[..., Path], run_of: RunOf, fake_tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tools.SHARES, "F32", 1e18)
    run = run_of(exports({"gguf": "F32", "model": "base"}, **UNTRAINED))
    with pytest.raises(LorewrightError, match=r"the F32 file takes up to [\d.]+ GB, and [\d.]+ GB are free"):
        execute(run, OF_A_FOLDER)
    assert not calls(fake_tools, "quantise_gguf.py")


@pytest.mark.req("S4")
def test_the_verb_takes_what_is_there(
    exports: Callable[..., Path], run_of: RunOf, fake_tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = exports(None)
    run = run_of(file)
    execute(run, Choice(only=("prepare", "train")))
    words = ["export", str(file), "--runs", str(run.paths.root)]
    assert main([*words, "--skip-merge"]) == 1
    assert "gguf needs merge, which has not been run yet" in capsys.readouterr().err
    assert main(words) == 0, "a recipe without an export section"
    printed = capsys.readouterr()
    assert printed.out.strip().endswith("latest/export") and "Q4_K_M says: " in printed.err
    assert "not noted (data.rights): texts" in printed.err
    noted = ["--set", "data.rights={texts: CC0}"]
    assert main(["merge", *words[1:], *noted]) == 0
    assert main([*words, "--gguf", "Q5_K_M", "--ollama", "v", "--skip-convert", *noted]) == 0
    assert len(calls(fake_tools, "convert_hf_to_gguf.py")) == 1, "what is there is taken, although it was merged again since"
    exported = run.paths.latest(run_of(file, "export={}").plan.step("export"))
    assert sorted(file.name for file in exported.glob("*.gguf")) == ["small-Q5_K_M.gguf"]
    assert "| texts | CC0 |" in (exported / "README.md").read_text()


def test_a_model_that_was_merged_before_lineages_were_kept(exports: Callable[..., Path], run_of: RunOf, fake_tools: Path) -> None:
    file = exports({"gguf": "F16"})
    run = run_of(file)
    execute(run, ALL)
    (run.done["merge"] / "merged" / "lineage.json").unlink()
    execute(run_of(file), Choice(only=("export",), force=True))
    known = read_json(run.done["export"] / "lineage.json")
    assert known["name"] == "small" and "took" not in known, "its training's lineage"
    record = read_json(run.done["merge"] / "step.json")
    (run.done["merge"] / "step.json").write_text(json.dumps(record | {"needs": {"train": "another"}}))
    execute(run_of(file), Choice(only=("export",), force=True))
    assert set(read_json(run.done["export"] / "lineage.json")) == {"export"}, "nothing is known of it"


def test_any_folder_can_be_exported(exports: Callable[..., Path], run_of: RunOf, fake_tools: Path, tmp_path: Path) -> None:
    file = exports(None, axolotl=None, data=None)
    runs = tmp_path / "runs"
    assert main(["export", str(file), "--runs", str(runs), "--model", str(tmp_path / "base"), "--gguf", "F16,BF16"]) == 0
    folder = runs / "small" / "latest" / "export"
    card = (folder / "README.md").read_text()
    assert "The model in the folder base" in card and "Nothing is known here of where that comes from" in card
    assert len(list(folder.glob("*.gguf"))) == 2
    with pytest.raises(RecipeError, match="export.model: .*: no config.json there"):
        load(file, (f"export.model={tmp_path}",))
    with pytest.raises(RecipeError, match="the recipe trains nothing, so nothing is merged"):
        load(file, ("export.gguf=F16",))


def test_a_private_source_is_not_exported_unless_told(exports: Callable[..., Path], run_of: RunOf) -> None:
    data = {"sources": ["texts"], "chunk": CHUNK, "rights": {"texts": "Private, my aunt's letters"}}
    with pytest.raises(RecipeError, match=r"small.yaml:\d+: data.rights.texts: is marked private, .* or set export.include_private: true"):
        load(exports({"gguf": "F16"}, data=data))
    assert load(exports(None, data=data)).export is None, "it may be trained"
    assert load(exports({"gguf": "F16", "include_private": True}, data=data)).export
    assert load(exports({"gguf": "F16"}, data=data | {"rights": {"texts": "privateer's tales, CC0"}})).export


@pytest.mark.parametrize(
    ("export", "said"),
    [
        ({"gguf": "Q4_K"}, "export.gguf: Q4_K is no type of llama.cpp's; did you mean Q4_K_S"),
        ({"gguf": ["F16", "IQ2_XS"]}, "export.gguf: IQ2_XS needs an importance matrix, which is not made here"),
        ({"ollama": "my voice"}, "export.ollama: my voice is no name for Ollama"),
        ({"type": "F16"}, "export.type: unknown key; there are gguf, ollama, model, include_private"),
    ],
)
def test_what_a_recipe_cannot_mean_is_refused(export: Any, said: str, make_recipe: MakeRecipe) -> None:
    with pytest.raises(RecipeError, match=said):
        load(make_recipe(export=export))


@pytest.mark.req("S4")
def test_a_source_that_was_private_when_it_was_trained_on_stays_private(exports: Callable[..., Path], run_of: RunOf) -> None:
    """The recipe's own note is gone by then; the model's lineage has it."""
    execute(run_of(exports({"gguf": "BF16"})), ALL)
    run = run_of(exports({"gguf": "BF16"}))
    lineage = run.paths.latest(run.plan.step("merge")).resolve() / "merged" / "lineage.json"
    lineage.write_text(json.dumps(read_json(lineage) | {"rights": [["diary.md", "private, mine"]]}))
    with pytest.raises(LorewrightError, match=r"trained on diary\.md, which is marked private"):
        execute(run, Choice(only=("export",), force=True))
    told = run_of(exports({"gguf": "BF16", "include_private": True}))
    execute(told, Choice(only=("export",), force=True))
    assert "private, mine" in (told.done["export"] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("length", ["32k", "auto", -1])
def test_lengths_that_vllm_takes_and_ollama_does_not_are_left_out(exports: Callable[..., Path], run_of: RunOf, length: Any) -> None:
    run = run_of(
        exports({"gguf": "BF16", "ollama": "voice"}, vllm={"max_model_len": length, "override_generation_config": '{"top_p": 0.5}'})
    )
    execute(run, ALL)
    written = (run.done["export"] / "Modelfile").read_text(encoding="utf-8")
    assert "num_ctx" not in written and "PARAMETER top_p 0.5" in written
