"""A checked recipe as frozen values. Defaults stand in the schema, not here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from glob import has_magic
from pathlib import Path
from typing import Any

from lorewright.envs import CHECKOUT, PACKAGE
from lorewright.recipe.bounds import Parity
from lorewright.recipe.export import Export


@dataclass(frozen=True)
class Chunk:
    unit: str
    min: int
    max: int
    overlap: int


@dataclass(frozen=True)
class Extract:
    """timeout: seconds a document may take. memory: megabytes. min_length: characters."""

    engine: str
    timeout: int
    memory: int
    min_length: int
    device: str


@dataclass(frozen=True)
class Clean:
    """What is taken out of the text: True takes it out. near_duplicates: from which resemblance on (Jaccard, 0.5 to 1); 0 for off."""

    front_matter: bool
    headings: bool
    marks: bool
    duplicates: bool
    near_duplicates: float


@dataclass(frozen=True)
class Qa:
    question: str
    answer: str
    thinking: str


@dataclass(frozen=True)
class Pairs:
    prompt: str
    completion: str
    max_tokens: int
    context_keep: int


@dataclass(frozen=True)
class Sections:
    field: str
    examples: str


@dataclass(frozen=True)
class Charts:
    count: int
    start_year: int
    end_year: int
    tz: float | None
    ask: str
    languages: tuple[str, ...]


@dataclass(frozen=True)
class Augment:
    """How a chat API is asked. limit 0, rpm 0: without limit. prices: dollars for a million tokens by model, `input` and `output`."""

    job: str
    endpoint: str
    base_url: str
    model: str
    key_variable: str
    system_prompt: str
    prompt: str | None
    per_passage: int
    min_length: int
    structured: bool
    temperature: float | None
    max_tokens: int
    in_flight: int
    sleep: float
    rpm: float
    timeout: float
    retries: int
    reask: int
    limit: int
    coverage: float
    ask_above: float
    prices: Mapping[str, Mapping[str, float]]

    def part(self) -> dict[str, Any]:
        """What the answers depend on, the content of prompt_file apart."""
        asked = ("system_prompt", "per_passage", "min_length", "temperature", "max_tokens", "limit")
        return {name: getattr(self, name) for name in ("job", "endpoint", "base_url", "model", *asked)}

    @property
    def prompt_file(self) -> str:
        """The wording that is sent: the recipe's own or ours."""
        return self.prompt or str(PROMPTS / f"{self.job}.yaml")


PROSE = ("passages", "completion")
PROMPTS = next((p for p in (PACKAGE / "prompts", CHECKOUT / "fine-tuning" / "prompts") if p.is_dir()), CHECKOUT)
# Which parts of `data` belong to which format alone.
FORMAT_PARTS = {"qa": ("qa",), "pairs": ("pairs", "charts"), "sections": ("sections",), "charts": ("charts",)}


@dataclass(frozen=True)
class Data:
    """rights: source -> whose it is, of those sources of which it is noted."""

    sources: tuple[str, ...]
    extract: Extract
    format: str
    chunk: Chunk
    system_prompt: str
    validation: float
    seed: int
    clean: Clean
    max_samples: int | None
    max_dropped: float
    qa: Qa
    pairs: Pairs
    sections: Sections
    charts: Charts
    augment: Augment | None = None
    rights: Mapping[str, str] = field(default_factory=dict)

    @property
    def rights_told(self) -> list[tuple[str, str]]:
        """(source by the end of its path, what is noted of it) of every source; empty where nothing is noted of any."""
        ends = ["/".join(Path(source).parts[-2 if has_magic(source) else -1 :]) for source in self.sources]
        return [(end, self.rights.get(source, "")) for end, source in zip(ends, self.sources, strict=True)] if self.rights else []

    @property
    def manuscripts(self) -> bool:
        """Whether the sources are prose to cut into passages; else they are rows that were written as examples."""
        return self.format in PROSE or (self.format == "qa" and self.asks)

    @property
    def asks(self) -> bool:
        """Whether a model is asked while the set is made."""
        wanted = self.format == "qa" or (self.format == "charts" and self.charts.ask == "reading")
        return wanted and self.augment is not None


@dataclass(frozen=True)
class Rung:
    """A step of the out-of-memory ladder.

    value: its bound or the fallback model; None for as far as it goes. axolotl: keys that the model needs set differently.
    """

    step: str
    value: int | str | None = None
    axolotl: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Train:
    """finished_checkpoints: weights, whole or none. devices: how many cards, or "all". keep_batch: whether they share a step's examples."""

    on_out_of_memory: tuple[Rung, ...]
    finished_checkpoints: str
    launcher: str = "accelerate"
    devices: int | str = "all"
    keep_batch: bool = True


@dataclass(frozen=True)
class Merge:
    """checkpoint: a step, "best", an adapter's folder, or None for what the training ended with."""

    checkpoint: int | str | None = None


@dataclass(frozen=True)
class Serve:
    """thinking: a switch, an effort, or None for what the template does. adapters: voice -> folder. when_training: stop, wait or refuse."""

    host: str
    port: int
    start_timeout: int
    preset: str
    thinking: bool | str | None
    live: bool
    adapters: Mapping[str, str]
    when_training: str

    @property
    def on_base(self) -> bool:
        """Whether the base model is served with adapters beside it, instead of a merged one."""
        return self.live or bool(self.adapters)


@dataclass(frozen=True)
class Timeouts:
    """Seconds the proxy waits: for a connection to vLLM, for the next byte of its answer, for a turn in the queue."""

    connect: float = 5
    answer: float = 600
    queue: float = 60


@dataclass(frozen=True)
class Limits:
    """The most that one request to the proxy may ask for. body_mb: megabytes. max_tokens: None for no limit but the context."""

    answers: int = 128
    max_tokens: int | None = None
    depth: int = 64
    body_mb: float = 16


@dataclass(frozen=True)
class Rerank:
    """A cross-encoder that orders the first `candidates` passages again, if it is done within the deadline (milliseconds)."""

    model: str
    deadline_ms: int
    candidates: int


@dataclass(frozen=True)
class Rag:
    """per_source: most passages of one file; 0 for any number. neighbours: passages added before and after each that was found."""

    collection: str
    sources: tuple[str, ...]
    embedding_model: str
    embedding_precision: str
    chunk_words: int
    chunk_overlap: int
    top_k: int
    max_distance: float
    lexical: bool
    per_source: int
    neighbours: int
    host: str
    port: int
    budget: float
    position: str
    introduction: str | None
    template: str
    overflow: str
    max_active: int
    max_waiting: int
    timeouts: Timeouts
    limits: Limits
    extra_fields: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    cors_origins: tuple[str, ...]
    rerank: Rerank | None = None


def is_folder(model: str) -> bool:
    """A model given as a path has been made absolute by then; anything else is a hub name."""
    return model.startswith("/")


def split_revision(model: str) -> tuple[str, str]:
    """(name, revision or "") of a hub name such as org/name@v2; a folder has no revision, whatever its path holds."""
    name, _, revision = ("", "", "") if is_folder(model) else model.partition("@")
    return name or model, revision


@dataclass(frozen=True)
class Recipe:
    """A recipe whose every value has been checked; paths are absolute.

    axolotl and vllm hold the tools' own keys verbatim; None where the recipe has no such section.
    resolved: the whole recipe as plain values, defaults included, as the manifest keeps it.
    """

    name: str
    file: Path
    base_model: str
    chat_template: str | None
    convert: str | None
    data: Data | None
    axolotl: Mapping[str, Any] | None
    train: Train
    merge: Merge
    parity: Parity
    export: Export | None
    vllm: Mapping[str, Any] | None
    serve: Serve
    rag: Rag | None
    questions: tuple[str, ...]
    resolved: Mapping[str, Any]

    @property
    def model_name(self) -> str:
        """What a page calls the base model: a folder by its last part, so that no path of this machine is on it."""
        return Path(self.base_model).name if is_folder(self.base_model) else self.base_model
