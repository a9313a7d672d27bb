"""GGUF files of the types that the recipe names, each asked one question; a Modelfile for Ollama; and the card with its lineage."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from lorewright import envs
from lorewright.data.report.counted import examples
from lorewright.errors import LorewrightError
from lorewright.manifest import RECORD, read_json, write_json, write_whole
from lorewright.models.export.card import exported_card
from lorewright.models.export.modelfile import Asked, modelfile
from lorewright.models.export.tools import Place, chat, own_type, quantise
from lorewright.models.lineage import NAME as LINEAGE
from lorewright.models.lineage import rights, sha256
from lorewright.plan import Step
from lorewright.recipe.export import Export, is_private
from lorewright.serving.vllm import left_open
from lorewright.stages.gguf import ABOUT, FILE, exported_model, plain_text
from lorewright.stages.run import Facts, Run

LONGEST = 64  # tokens of the answer that is shown
LOOKED = 200  # so many held-out examples are looked through for a short question
SHORT, BEGUN = 3000, 40  # characters of a held-out question; words of a text that is gone on with
QUESTION = "Who are you, and where are we?"


def export(step: Step, run: Run) -> Facts:
    """Everything in one folder that can be given away. Raises LorewrightError where llama.cpp cannot make or read a file."""
    asked = run.recipe.export
    assert asked
    _say_unnoted(run)
    come_from = _lineage(run)
    _refuse_private(come_from, asked)
    names = {kind: f"{run.recipe.name}-{kind}.gguf" for kind in asked.gguf}
    if asked.ollama:  # what cannot be written is told before an hour of quantising
        _write_modelfile(run, asked, names[asked.gguf[0]], str(come_from.get("system_prompt") or ""))
    _write_files(step, run, names)
    question = _question(run, str(come_from.get("system_prompt") or ""))
    answers = _answers(step, run, names, question)
    _write_cards(run, names, come_from, answers)
    sizes = {kind: (run.work / name).stat().st_size for kind, name in names.items()}
    said = ", ".join(f"{kind} {size / 1e6:,.1f} MB" for kind, size in sizes.items())
    return {"files": {names[kind]: size for kind, size in sizes.items()}, "answers": answers, "said": said}


def _say_unnoted(run: Run) -> None:
    """Names the sources of which nobody has noted whose they are."""
    data = run.recipe.data
    unnoted = [Path(source).name for source in data.sources if source not in data.rights] if data and not _foreign(run) else []
    if unnoted:
        more = f" and {len(unnoted) - 5} more" if len(unnoted) > 5 else ""
        run.console.line(f"export    whose these sources are is not noted (data.rights): {', '.join(unnoted[:5])}{more}")


def _refuse_private(come_from: dict[str, Any], asked: Export) -> None:
    """What the model was trained on counts, also where the recipe has been changed since. Raises LorewrightError."""
    private = [str(source) for source, note in come_from.get("rights") or [] if is_private(str(note))]
    if private and not asked.include_private:
        what = f"the model was trained on {', '.join(private)}, which is marked private, and what is exported is made to be given away"
        raise LorewrightError(what, remedy="train without it, or say so: --include-private")


def _foreign(run: Run) -> bool:
    """Whether a folder is exported that this recipe need not have made."""
    return bool(run.recipe.export and run.recipe.export.model)


def _lineage(run: Run) -> dict[str, Any]:
    """Where the model comes from; empty for a folder that does not tell."""
    found: dict[str, Any] = read_json(exported_model(run) / LINEAGE) or {}
    if not found and not _foreign(run) and _merged_of_this_training(run):  # before it was kept beside the merged model
        found = read_json(run.done["train"] / LINEAGE) or {}
    found.pop("took", None)  # the same model gives the same card
    if found and not _foreign(run):
        found |= {"rights": [*(dict(found.get("rights") or []) | dict(rights(run.recipe))).items()]}
        found |= {"sources": _sources(run)} if _trained_on(run) else {}
    return found


def _sources(run: Run) -> dict[str, Any]:
    """The hashes of the manuscripts."""
    read = next((run.done[name] for name in ("extract", "prepare") if name in run.done), None)
    found: dict[str, Any] = (_record(read) if read else {}).get("inputs", {})
    return found


def _record(folder: Path | None) -> dict[str, Any]:
    found: dict[str, Any] = (read_json(folder / RECORD) if folder else None) or {}
    return found


def _trained_on(run: Run) -> bool:
    """Whether the set that is there now is the one of the training."""
    prepared, trained = (_record(run.done.get(name)) for name in ("prepare", "train"))
    return bool(prepared) and trained.get("needs", {}).get("prepare") == prepared.get("digest")


def _merged_of_this_training(run: Run) -> bool:
    """Not, where an older merge is taken as it is."""
    merged, trained = (_record(run.done.get(name)) for name in ("merge", "train"))
    return bool(trained) and merged.get("needs", {}).get("train") == trained.get("digest")


def _write_modelfile(run: Run, export: Export, file: str, learnt: str) -> None:
    """learnt: the system prompt of the examples."""
    data, vllm = run.recipe.data, run.recipe.vllm or {}
    system = learnt if not data or data.system_prompt == "auto" else data.system_prompt
    context = vllm.get("max_model_len")  # vLLM takes words too, such as auto and 32k
    sampling, settings = left_open(run.recipe)
    context = max(0, context) if isinstance(context, int) else 0
    asked = Asked(str(export.ollama), file, system, sampling, context, _trained_settings(run) | settings)
    write_whole(run.work / "Modelfile", modelfile(exported_model(run), read_json(run.done["gguf"] / ABOUT), asked))


def _trained_settings(run: Run) -> dict[str, Any]:
    """Of the chat template, in the training whose model is exported."""
    file = run.done["train"] / "axolotl.yaml" if "train" in run.done and not _foreign(run) else None
    config = yaml.safe_load(file.read_text(encoding="utf-8")) if file and file.is_file() else {}
    return dict(config.get("chat_template_kwargs") or {})


def _write_files(step: Step, run: Run, names: dict[str, str]) -> None:
    """A file that an interrupted run has finished is kept."""
    source, place = run.done["gguf"] / FILE, Place(run.paths.log(step.name), run.work)
    own = own_type(exported_model(run)).upper()
    for kind, name in names.items():
        if (run.work / name).exists():
            continue
        if kind == own:
            os.link(source, run.work / name)
            continue
        with run.console.bar(step.name) as bar:
            bar(0, None, kind)
            quantise(source, kind, run.work / name, place, bar)


def _question(run: Run, system: str) -> dict[str, Any]:
    """The shortest question of some held-out examples; a text to go on with, where no chat was trained or there is no template."""
    about, prepared = read_json(run.done["gguf"] / ABOUT), run.done.get("prepare", Path())
    file = prepared / "validation.jsonl"
    held = list(islice(examples(file), LOOKED)) if file.exists() else []
    if plain_text(run) or not about["template"]:
        texts = [str(one["text"]) for one in held if one.get("text")] or ["It was late, and"]
        return _limited({"text": " ".join(texts[0].split()[:BEGUN])})
    asked = [[turn for turn in one.get("messages") or () if turn.get("role") in ("system", "user")] for one in held]
    asked = [turns for turns in asked if turns and turns[-1]["role"] == "user" and len(str(turns)) < SHORT]
    usual = ([{"role": "system", "content": system}] if system else []) + [{"role": "user", "content": QUESTION}]
    turns = min(asked, key=lambda turns: len(str(turns)), default=usual)
    return _limited({"messages": [{"role": turn["role"], "content": turn["content"]} for turn in turns]})


def _limited(question: dict[str, Any]) -> dict[str, Any]:
    """With room for it and its answer: a text has at most as many tokens as bytes, and a template adds a few."""
    return question | {"max_tokens": LONGEST, "context": len(str(question).encode()) + LONGEST + 256}


def _answers(step: Step, run: Run, names: dict[str, str], question: dict[str, Any]) -> dict[str, str]:
    """What each file says to it, by its type; shown as it comes."""
    place, found = Place(run.paths.log(step.name), run.work), {}
    for kind, name in names.items():
        with run.console.bar(step.name) as bar:
            bar(0, None, f"{kind} is asked")
            answer = chat(run.work / name, question, place)
        if not answer["tokens"]:
            raise LorewrightError(
                f"the {kind} file loads and says nothing", where=str(run.paths.log(step.name)), remedy="try a larger type"
            )
        found[kind] = " ".join(str(answer["answer"]).split()) + ("" if answer["finish"] == "stop" else " …")
        run.console.line(f"export    {kind} says: {found[kind][:200]}")
    return found


def _write_cards(run: Run, names: dict[str, str], come_from: dict[str, Any], answers: dict[str, str]) -> None:
    files = {
        name: {"type": kind, "bytes": (run.work / name).stat().st_size, "sha256": sha256(run.work / name)} for kind, name in names.items()
    }
    lines = (envs.REQUIREMENTS / "export.txt").read_text(encoding="utf-8").split()
    made_with = next(line for line in lines if line.startswith("llama-cpp-python==")).partition("==")[2]
    asked = run.recipe.export
    told = {"files": files, "llama-cpp-python": made_with, "ollama": asked.ollama if asked else None, "answers": answers}
    write_json(run.work / LINEAGE, come_from | {"export": told})
    write_whole(run.work / "README.md", exported_card(run.recipe.name, exported_model(run).name, come_from, told))
