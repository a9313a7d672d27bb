"""What a model's config.json says about its size: enough to count every weight without one of them being there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lorewright.errors import LorewrightError

NEEDED = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
# Some models have a list of these, one number a layer.
USED = ("num_key_value_heads", "head_dim", "intermediate_size", "moe_intermediate_size", "num_local_experts", "num_experts",
        "num_experts_per_tok")  # fmt: skip
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Linear:
    """A matrix of every layer: takes rows of `inner` numbers, gives rows of `outer`."""

    name: str
    inner: int
    outer: int

    @property
    def size(self) -> int:
        return self.inner * self.outer


@dataclass(frozen=True)
class Shape:
    """A decoder of equal layers with grouped-query attention and a gated MLP, or experts in the MLP's place.

    intermediate: width of the MLP, or of one expert. experts: how many there are, 0 for a dense model; used: how many work on a token.
    head_norms: queries and keys are normalised head by head. tied: the output matrix is the embedding.
    in_nf4: it is stored in bitsandbytes' 4 bits, its experts too.
    """

    kind: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    intermediate: int
    vocabulary: int
    tied: bool = False
    experts: int = 0
    used: int = 0
    head_norms: bool = False
    biases: bool = False
    in_nf4: bool = False

    @property
    def queries(self) -> int:
        return self.heads * self.head_size

    @property
    def keys(self) -> int:
        return self.kv_heads * self.head_size

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The matrices of a layer that are linear modules of their own; experts are stacked in one tensor and are none."""
        attention = (
            Linear("q_proj", self.hidden, self.queries), Linear("k_proj", self.hidden, self.keys),
            Linear("v_proj", self.hidden, self.keys), Linear("o_proj", self.queries, self.hidden),
        )  # fmt: skip
        if self.experts:
            return attention
        wide = self.intermediate
        return (*attention, *(Linear(name, self.hidden, wide) for name in MLP[:2]), Linear("down_proj", wide, self.hidden))

    @property
    def linear_parameters(self) -> int:
        """Of all layers, biases among them."""
        biases = sum(linear.outer for linear in self.linears) if self.biases else 0
        return self.layers * (sum(linear.size for linear in self.linears) + biases)

    @property
    def expert_layer(self) -> int:
        """Parameters of all experts of a layer: gate, up and down of each."""
        each = 3 * self.hidden * self.intermediate + (2 * self.intermediate + self.hidden if self.biases else 0)
        return self.experts * each

    @property
    def embedding(self) -> int:
        return self.vocabulary * self.hidden

    @property
    def head(self) -> int:
        """The output matrix, where it is one of its own."""
        return 0 if self.tied else self.embedding

    @property
    def small(self) -> int:
        """Norms, routers and what else is never quantised."""
        norms = 2 * self.hidden + (2 * self.head_size if self.head_norms else 0)
        router = self.experts * (self.hidden + (1 if self.biases else 0)) + (self.heads if self.kind == "gpt_oss" else 0)
        return self.layers * (norms + router) + self.hidden

    @property
    def parameters(self) -> int:
        return self.linear_parameters + self.layers * self.expert_layer + self.embedding + self.head + self.small

    @property
    def working(self) -> int:
        """Parameters of the layers whose product a token takes part in: of the experts only those that are used."""
        return self.linear_parameters + (self.layers * self.expert_layer * self.used // self.experts if self.experts else 0)


def shape_of(config: Mapping[str, Any], where: str) -> Shape:
    """The shape that a config.json means. where: said in the error for one that holds no decoder of this kind."""
    inner = config.get("text_config")
    text: Mapping[str, Any] = inner if isinstance(inner, Mapping) and inner else config
    _check(text, where)
    kind = str(text.get("model_type", ""))
    experts = int(text.get("num_local_experts") or text.get("num_experts") or 0)
    heads = int(text["num_attention_heads"])
    wide = (text.get("moe_intermediate_size") if experts else None) or text.get("intermediate_size") or 4 * text["hidden_size"]
    return Shape(
        kind=kind, hidden=text["hidden_size"], layers=text["num_hidden_layers"], heads=heads,
        kv_heads=int(text.get("num_key_value_heads") or heads), head_size=int(text.get("head_dim") or text["hidden_size"] // heads),
        intermediate=int(wide), vocabulary=text["vocab_size"], tied=bool(text.get("tie_word_embeddings", kind in ("gemma", "gemma2"))),
        experts=experts, used=int(text.get("num_experts_per_tok") or 0) if experts else 0, head_norms=kind.startswith("qwen3"),
        biases=bool(text.get("attention_bias")) or kind == "gpt_oss",
        in_nf4=bool((config.get("quantization_config") or {}).get("load_in_4bit")),
    )  # fmt: skip


def _check(text: Mapping[str, Any], where: str) -> None:
    """Raises LorewrightError for a number that is missing, or is none that equal layers can have."""
    missing = [key for key in NEEDED if text.get(key) is None]
    wrong = [key for key in (*NEEDED, *USED) if text.get(key) is not None and not _whole(text[key], 1 if key in NEEDED else 0)]
    said = ([f"{', '.join(missing)} not given"] if missing else []) + (
        [f"{', '.join(wrong)} must be one whole number above 0"] if wrong else []
    )
    if said:
        raise LorewrightError(f"no size can be read from this config.json: {'; '.join(said)}", where=where)


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
