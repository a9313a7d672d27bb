"""The whole dataflow, from a recipe to the steps that carry it out. Pure: nothing is read, written or started here.

    extract ─ prepare ─ ledger ─┬ train ─ merge ┬─ parity
    convert ────────────────────┘               ├─ gguf ─ export ─ parity_exported
                                                └─ serve ┬─ parity_served
    ingest ──────────────────────────────────────────── rag ─ query

A step's fingerprint is made by the runner of its part of the recipe, the content of its inputs, what its needs produced,
its environment's key and its version; its folder is named by that fingerprint. All paths of a run are named here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import Any, Literal

from lorewright.errors import LorewrightError
from lorewright.recipe import FORMAT_PARTS, Recipe, is_folder
from lorewright.recipe.bounds import bound_of

# What may hold lore: what extraction reads, without JSON, which is settings.
LORE = (
    ".md", ".markdown", ".txt", ".text", ".html", ".htm", ".xhtml", ".epub", ".pdf", ".docx", ".doc", ".odt", ".rtf", ".fb2",
    ".rst", ".org", ".tex",
)  # fmt: skip
ROOM = 1024
IN_NF4 = "nf4"  # the folder of a model that has been converted
ADAPTER = ("adapter_config.json", "adapter_model.safetensors")
# Light stages that are made along when the stage named here is asked for alone.
ALONG = {"prepare": ("extract", "ledger"), "train": ("ledger", "convert")}

# Keys of `rag` that the proxy is told as they are.
PROXY_KEYS = (
    "host", "port", "budget", "position", "introduction", "template", "overflow", "max_active", "max_waiting", "timeouts", "limits",
    "extra_fields", "allowed_hosts", "cors_origins",
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One thing to do.

    kind: an artifact is made once and kept; a service runs while something needs it.
    part: the values of the recipe it depends on. texts: sources whose readable files (LORE) it depends on.
    files: files, or folders whose every file it depends on. outputs: what it leaves, relative to its folder.
    collection: the lore collection it belongs to, when its folder is shared by recipes.
    shared: its folder is shared by all recipes whose step has the same fingerprint.
    takes_up: those of its needs of which it uses a new result while it runs, so that it need not be started again.
    rides: made only while the services that it needs run already; none is started for it.
    """

    name: str
    kind: Literal["artifact", "service"]
    environment: str
    needs: tuple[str, ...] = ()
    part: Mapping[str, Any] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    collection: str = ""
    shared: bool = False
    takes_up: tuple[str, ...] = ()
    rides: bool = False
    version: int = 1


@dataclass(frozen=True)
class Plan:
    recipe: str
    steps: tuple[Step, ...]

    def step(self, name: str) -> Step:
        for step in self.steps:
            if step.name == name:
                return step
        raise LorewrightError(f"recipe {self.recipe} has no stage {name!r}", remedy=f"it has {', '.join(s.name for s in self.steps)}")


def make_plan(recipe: Recipe) -> Plan:
    """The recipe's steps, each after all that it needs. A section left out leaves its steps out."""
    steps: list[Step] = []
    if recipe.data:
        steps += [*([_extract(recipe)] if recipe.data.manuscripts else []), _prepare(recipe)]
    if recipe.axolotl is not None:
        steps += [_ledger(recipe), *([_convert(recipe)] if recipe.convert else []), _train(recipe), _merge(recipe)]
    gate = recipe.axolotl is not None and recipe.parity.check and not _experts_in_4_bits(recipe)
    steps += [_parity(recipe)] if gate else []
    if recipe.export:
        steps += [_gguf(recipe), _export(recipe)]
    steps.append(_serve(recipe))
    if recipe.rag:
        steps += [_ingest(recipe), _rag(recipe)]
        if recipe.questions:
            steps.append(_query(recipe))
    if gate and recipe.export and not recipe.export.model:  # after all that runs without it
        steps.append(_parity_exported(recipe))
    if gate and not (recipe.serve.on_base and _in_4_bits(recipe)):  # the last, so that what the questions have started is there
        steps.append(_parity_served(recipe))
    return Plan(recipe.name, tuple(steps))


def _in_4_bits(recipe: Recipe) -> bool:
    return bool((recipe.axolotl or {}).get("load_in_4bit"))


def _experts_in_4_bits(recipe: Recipe) -> bool:
    """No reference for the gate can be loaded as such a training has it: it would find the rounding of the experts, and fail for it."""
    return _in_4_bits(recipe) and bool(recipe.convert or (recipe.axolotl or {}).get("quantize_moe_experts"))


def _extract(recipe: Recipe) -> Step:
    assert recipe.data
    return Step(
        "extract", "artifact", "core", (), asdict(recipe.data.extract), (), recipe.data.sources, ("documents", "documents.json"), version=2
    )


def _prepare(recipe: Recipe) -> Step:
    assert recipe.data
    data = recipe.data
    tokenizer = (f"{recipe.base_model}/tokenizer.json",) if is_folder(recipe.base_model) and data.chunk.unit == "tokens" else ()
    other = {part for part, formats in FORMAT_PARTS.items() if data.format not in formats}
    other |= {"sources", "extract", "augment", "max_dropped", "rights"}
    part = {key: value for key, value in asdict(data).items() if key not in other} | {"model": model_part(recipe)} | _rights(recipe)
    wording: tuple[str, ...] = ()
    if data.augment and data.asks:
        part["augment"], wording = data.augment.part(), (data.augment.prompt_file,)
    outputs = ("training.jsonl", "validation.jsonl", "style.json")
    if not data.manuscripts:  # rows stand in files of any kind, and some formats render the chat template
        return Step("prepare", "artifact", "core", (), part, (), (*data.sources, *_template_files(recipe), *wording), outputs)
    return Step("prepare", "artifact", "core", ("extract",), part, (), tokenizer + wording, (*outputs, "removals.jsonl"), version=5)


def _template_files(recipe: Recipe) -> tuple[str, ...]:
    """The base model's settings, tokenizer and template (all that is JSON or Jinja), and the recipe's own template."""
    own = (recipe.chat_template,) if recipe.chat_template else ()
    return ((f"{recipe.base_model}/*.j*",) if is_folder(recipe.base_model) else ()) + own


def _ledger(recipe: Recipe) -> Step:
    assert recipe.data
    part = _trainer_part(recipe) | {"max_dropped": recipe.data.max_dropped}
    return Step("ledger", "artifact", "train", ("prepare",), part, (), model_inputs(recipe), ("samples.jsonl", "ledger.json"))


def _trainer_part(recipe: Recipe) -> dict[str, Any]:
    """All that Axolotl's configuration is written from, the set apart."""
    assert recipe.data
    read = {"format": recipe.data.format, "qa": recipe.data.qa.thinking, "sections": recipe.data.sections.examples}
    return {"axolotl": recipe.axolotl, "model": model_part(recipe), "read": read}


def _convert(recipe: Recipe) -> Step:
    """Known by the base model alone: what one recipe makes all others of that model use."""
    folder = (recipe.base_model,) if is_folder(recipe.base_model) else ()
    return Step("convert", "artifact", "core", (), {"to": recipe.convert} | model_part(recipe), (), folder, (IN_NF4,), shared=True)


def _train(recipe: Recipe) -> Step:
    """Launcher and cards change nothing of the result, unless each card takes the whole batch."""
    multiplied = {} if recipe.train.keep_batch else {"devices": recipe.train.devices}
    part = _trainer_part(recipe) | multiplied
    outputs = ("adapter/adapter_model.safetensors", "adapter/adapter_config.json", "axolotl.yaml")
    needs = ("prepare", "ledger", *(("convert",) if recipe.convert else ()))
    return Step("train", "artifact", "train", needs, part, (), model_inputs(recipe), outputs)


def _merge(recipe: Recipe) -> Step:
    """A checkpoint is known by the settings it was trained and saved with; one that lies elsewhere by its content."""
    part: dict[str, Any] = {"model": model_part(recipe)} | _rights(recipe)
    checkpoint, files = recipe.merge.checkpoint, model_inputs(recipe)
    if isinstance(checkpoint, str) and is_folder(checkpoint):
        part, files = part | {"checkpoint": f"folder {PurePath(checkpoint).name}"}, (*files, *(f"{checkpoint}/{name}" for name in ADAPTER))
    elif checkpoint is not None:
        part |= {"checkpoint": checkpoint, "axolotl": recipe.axolotl}
    version = 3 if _in_4_bits(recipe) else 2  # of version 2 embedding and head were rounded to NF4
    return Step("merge", "artifact", "train", ("train",), part, (), files, ("merged",), version=version)


def _gguf(recipe: Recipe) -> Step:
    """In its own precision: files of other types are made of this one, so a further type needs no conversion."""
    needs, files = _exported(recipe)
    return Step("gguf", "artifact", "export", needs, {"name": recipe.name}, (), files, ("model.gguf", "about.json"))


def _export(recipe: Recipe) -> Step:
    """The Modelfile has the model's sampling, and what the recipe says otherwise."""
    assert recipe.export
    needs, _ = _exported(recipe)
    part: dict[str, Any] = {"name": recipe.name, "gguf": list(recipe.export.gguf), "ollama": recipe.export.ollama} | _rights(recipe)
    if recipe.export.ollama:
        said, context = recipe.data.system_prompt if recipe.data else "", (recipe.vllm or {}).get("max_model_len")
        sampling = (recipe.vllm or {}).get("override_generation_config")
        part |= {
            "system_prompt": said,
            "context": context,
            "sampling": sampling,
            "preset": recipe.serve.preset,
            "thinking": recipe.serve.thinking,
        }
    settings = (f"{recipe.export.model}/*.j*",) if recipe.export.model else ()
    return Step("export", "artifact", "export", (*needs, "gguf"), part, (), settings, (*exported_files(recipe), "README.md"))


def exported_files(recipe: Recipe) -> tuple[str, ...]:
    """What the export leaves, its cards apart."""
    assert recipe.export
    return tuple(f"{recipe.name}-{name}.gguf" for name in recipe.export.gguf) + (("Modelfile",) if recipe.export.ollama else ())


def _exported(recipe: Recipe) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(the stages, the files) that the exported model comes from."""
    assert recipe.export
    return ((), (recipe.export.model,)) if recipe.export.model else (("merge",), ())


def _rights(recipe: Recipe) -> dict[str, Any]:
    """A note of a source's rights stands on the cards, which are made again; nothing is trained again for it."""
    told = recipe.data.rights_told if recipe.data else []
    return {"rights": told} if told else {}


def _parity(recipe: Recipe) -> Step:
    """What it is compared with is what was trained, so it depends on all that a training leaves."""
    told = {
        "preset": recipe.serve.preset,
        "thinking": recipe.serve.thinking,
        "own": (recipe.vllm or {}).get("default_chat_template_kwargs"),
    }
    part = {"bound": asdict(recipe.parity.merged), "room": room(recipe), "model": model_part(recipe), "template": told}
    outputs = ("parity.json", "asked.jsonl", "trained.jsonl", "base.jsonl", "merged.jsonl")
    return Step("parity", "artifact", "train", ("prepare", "ledger", "train", "merge"), part, (), model_inputs(recipe), outputs)


def _parity_exported(recipe: Recipe) -> Step:
    assert recipe.export
    own = recipe.parity.exported
    bounds = {kind: asdict(own or bound_of(kind)) for kind in recipe.export.gguf}
    outputs = ("parity.json", *(f"{kind}.jsonl" for kind in bounds))
    return Step("parity_exported", "artifact", "export", ("parity", "export"), {"bounds": bounds, "name": recipe.name}, (), (), outputs)


def _parity_served(recipe: Recipe) -> Step:
    part = {"bound": asdict(recipe.parity.served)}
    return Step("parity_served", "artifact", "core", ("parity", "serve"), part, (), (), ("parity.json", "served.jsonl"), rides=True)


def room(recipe: Recipe) -> int:
    """Tokens of prompt and answer that a comparison of models may take: what vLLM has room for, and no more than is quickly read."""
    given = (recipe.vllm or {}).get("max_model_len")
    return min(ROOM, given - 8) if isinstance(given, int) and given > 0 else ROOM


def _serve(recipe: Recipe) -> Step:
    trained, live = recipe.axolotl is not None, recipe.serve.on_base
    keys = ("host", "port", "preset", "thinking", "live")
    part = {
        "name": recipe.name,
        "vllm": recipe.vllm or {},
        "model": model_part(recipe),
        "adapters": list(recipe.serve.adapters),
    } | {key: getattr(recipe.serve, key) for key in keys}
    needs = () if not trained else ("train",) if live else ("merge",)
    files = model_inputs(recipe) if live or not trained else ()
    return Step("serve", "service", "serve", needs, part, (), (*files, *recipe.serve.adapters.values()))


def _ingest(recipe: Recipe) -> Step:
    assert recipe.rag
    local, part = _embedding(recipe)
    part |= {key: getattr(recipe.rag, key) for key in ("embedding_precision", "chunk_words", "chunk_overlap")}
    return Step("ingest", "artifact", "core", (), part, recipe.rag.sources, local, ("index",), recipe.rag.collection, version=3)


def _rag(recipe: Recipe) -> Step:
    assert recipe.rag
    values = asdict(recipe.rag)
    searched = ("top_k", "max_distance", "lexical", "per_source", "neighbours", "rerank")
    local, part = _embedding(recipe)
    part |= {"name": recipe.name} | {key: values[key] for key in ("collection", *searched, *PROXY_KEYS)}
    return Step("rag", "service", "core", ("serve", "ingest"), part, (), local, takes_up=("ingest",))


def _embedding(recipe: Recipe) -> tuple[tuple[str, ...], dict[str, Any]]:
    """(the folder of a local embedding model, what names any other)."""
    assert recipe.rag
    local = (recipe.rag.embedding_model,) if is_folder(recipe.rag.embedding_model) else ()
    return local, {"embedding_model": None if local else recipe.rag.embedding_model}


def _query(recipe: Recipe) -> Step:
    return Step("query", "artifact", "core", ("rag", "ingest"), {"questions": recipe.questions}, outputs=("answers.json",))


def model_part(recipe: Recipe) -> dict[str, Any]:
    """What identifies the base model besides its files: a hub name with its revision; a folder is known by its content."""
    return {"base_model": None if is_folder(recipe.base_model) else recipe.base_model}


def model_inputs(recipe: Recipe) -> tuple[str, ...]:
    folder = (recipe.base_model,) if is_folder(recipe.base_model) else ()
    return folder + ((recipe.chat_template,) if recipe.chat_template else ())


@dataclass(frozen=True)
class Paths:
    """Where a recipe's run keeps everything. root: the `runs` folder."""

    root: Path
    recipe: str

    @property
    def home(self) -> Path:
        return self.root / self.recipe

    @property
    def manifests(self) -> Path:
        return self.home / "manifests"

    @property
    def reports(self) -> Path:
        return self.home / "reports"

    @property
    def lock(self) -> Path:
        return self.home / "lock"

    @property
    def services(self) -> Path:
        return self.root / "services"

    @property
    def hashes(self) -> Path:
        return self.root / "hashes.json"

    def folder(self, step: Step, fingerprint: str) -> Path:
        """A step's own folder; that it exists means that the step is done."""
        return self.place(step) / fingerprint

    def place(self, step: Step) -> Path:
        """Where all folders of a step lie."""
        if step.shared:
            return self.root / "models"
        return self.root / "collections" / step.collection if step.collection else self.home / step.name

    def partial(self, step: Step, fingerprint: str) -> Path:
        """Where a step works until it is done; what lies there is where it goes on."""
        return self.folder(step, fingerprint).with_suffix(".partial")

    def latest(self, step: Step) -> Path:
        return self.home / "latest" / step.name

    def log(self, step: str) -> Path:
        return self.home / "logs" / f"{step}.log"

    def service(self, step: Step) -> Path:
        """The record of a running service, one a port."""
        return self.services / f"{step.name}-{step.part['port']}.json"
