"""The peak of a card's memory in every phase of a training, by part. PyTorch's own count, and what the card holds beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lorewright.training.forecast.layer import layer_of
from lorewright.training.forecast.settings import Settings
from lorewright.training.forecast.shape import Shape
from lorewright.training.forecast.starts import piece_of

MIB, GIB = 2**20, 2**30
PARTS = ("weights", "adapter", "gradients", "optimizer", "activations", "logits", "workspace")
STATE = 8.0  # bytes a number of an optimizer that is not listed: two float32 moments
# NF4 (bitsandbytes): half a byte a number and a scale for 64 numbers. Doubly quantised a scale is one byte, with a float32 for 256 of them.
NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
NF4_PLAIN = 0.5 + 4 / 64
INT8 = 1.0  # and a float32 a row, which is nothing
# Bytes of optimizer state a trained number: two float32 moments, or two bytes with a float32 scale each for 256 numbers.
STATES = {
    "adamw_torch": 8.0, "adamw_torch_fused": 8.0, "adamw_hf": 8.0, "adamw_bnb_8bit": 2 + 8 / 256, "adamw_8bit": 2 + 8 / 256,
    "paged_adamw_8bit": 2 + 8 / 256, "paged_adamw_32bit": 8.0, "lion_8bit": 1 + 4 / 256, "paged_lion_8bit": 1 + 4 / 256, "lion_32bit": 4.0,
    "paged_lion_32bit": 4.0, "adafactor": 0.1, "sgd": 0.0, "muon": 4.0, "adamw_torch_8bit": 2 + 8 / 256, "adamw_torch_4bit": 1 + 8 / 128,
}  # fmt: skip
# cuBLAS keeps 32 MiB for each of its two libraries on Hopper and 8 MiB elsewhere; the larger is taken, being small either way.
CUBLAS = 64 * MIB
# What the CUDA driver and the loaded kernels hold outside of PyTorch's count.
CONTEXT = 0.5 * GIB
# PyTorch keeps freed blocks for later: with expandable segments (Axolotl's setting) little more than what is in use.
FRAGMENTS = 0.04


@dataclass(frozen=True)
class Batch:
    """What is on the card at once: rows of `length` tokens. padded: rows of different length were filled up."""

    rows: int
    length: int
    padded: bool = False

    @property
    def tokens(self) -> int:
        return self.rows * self.length


@dataclass(frozen=True)
class Peak:
    """phase: loading, training, loss or evaluating. parts: bytes in PyTorch's count. paged: optimizer state that may leave the card."""

    phase: str
    parts: Mapping[str, float]
    paged: float = 0.0

    @property
    def allocated(self) -> float:
        return sum(self.parts.values())

    @property
    def fragments(self) -> float:
        return FRAGMENTS * (self.allocated - self.parts["weights"])

    @property
    def needed(self) -> float:
        """What the card must have free: with the driver's context and PyTorch's spare blocks."""
        return self.allocated + self.fragments + CONTEXT


def weights(shape: Shape, settings: Settings) -> float:
    """Bytes of the frozen model. bitsandbytes quantises linear modules alone: embedding, output matrix and norms stay as they are."""
    experts = shape.layers * shape.expert_layer * _each_expert(settings)
    own = outer_weights(shape, settings) + experts
    linears = shape.linear_parameters * _each(settings)
    return own + (linears / shape.layers * 2 if settings.layers_offloaded else linears)


def layer_weights(shape: Shape, settings: Settings) -> float:
    """Bytes of one layer's matrices and experts."""
    return shape.linear_parameters / shape.layers * _each(settings) + shape.expert_layer * _each_expert(settings)


def outer_weights(shape: Shape, settings: Settings) -> float:
    """Bytes of embedding, output matrix and all that is never quantised."""
    return (2.0 if settings.bits < 32 else 4.0) * (shape.embedding + shape.head + shape.small)


def _each(settings: Settings) -> float:
    """Bytes a number of a linear module."""
    return {4: NF4 if settings.double_quant else NF4_PLAIN, 8: INT8, 16: 2.0, 32: 4.0}[settings.bits]


def _each_expert(settings: Settings) -> float:
    return _each(settings) if settings.experts_quantised else 2.0 if settings.bits < 32 else 4.0


def trained(shape: Shape, settings: Settings) -> int:
    """Numbers that are trained: of the adapter rank × (inner + outer) for each matrix, and whole modules that are saved with it."""
    if not settings.rank:
        return shape.parameters
    adapters = shape.layers * sum(settings.rank * (linear.inner + linear.outer) for linear in settings.adapted(shape))
    return adapters + sum(shape.embedding for name in settings.saved if name in ("embed_tokens", "lm_head"))


def peaks(shape: Shape, settings: Settings, batch: Batch, evaluated: Batch | None = None) -> list[Peak]:
    """Every phase's fullest moment. evaluated: the fullest batch of an evaluation; None where there is none."""
    found = [_loading(shape, settings), _backward(shape, settings, batch), _loss(shape, settings, batch)]
    return found + ([_evaluating(shape, settings, evaluated)] if evaluated else [])


def highest(found: Sequence[Peak]) -> Peak:
    return max(found, key=lambda peak: peak.allocated)


def _standing(shape: Shape, settings: Settings) -> tuple[dict[str, float], float]:
    """(what stays on the card while it trains, what of it is paged). A whole model trains in the type it is loaded in."""
    numbers = trained(shape, settings)
    wide = 4.0 if settings.rank or settings.width == 4 else 2.0
    state = numbers * STATES.get(settings.optimizer, STATE) * (wide / 4 if not settings.rank and "8bit" not in settings.optimizer else 1.0)
    paged = state if settings.optimizer.startswith("paged") else 0.0
    adapter = numbers * wide if settings.rank else 0.0
    parts = {"weights": weights(shape, settings), "adapter": adapter, "gradients": numbers * wide, "optimizer": state - paged}
    return dict.fromkeys(PARTS, 0.0) | parts, paged


def _loading(shape: Shape, settings: Settings) -> Peak:
    """Axolotl turns the embedding, then the output matrix into float32 while it prepares a model for adapters, and back again.

    At the fullest moment the embedding is float32 and both types of the output matrix are there.
    """
    parts = dict.fromkeys(PARTS, 0.0)
    upcast = max(2.0 * shape.embedding + 4.0 * shape.head, 4.0 * shape.embedding) if settings.upcast else 0.0
    return Peak("loading", parts | {"weights": weights(shape, settings), "workspace": upcast})


def _checkpoints(shape: Shape, settings: Settings, batch: Batch) -> float:
    """The input of every layer, from which the backward pass computes it again; two of them where they wait in the machine's memory."""
    layers = 2 if settings.offload else shape.layers
    return float(layers * batch.tokens * shape.hidden * settings.width)


def _backward(shape: Shape, settings: Settings, batch: Batch) -> Peak:
    parts, paged = _standing(shape, settings)
    layer = layer_of(shape, settings, batch.length, padded=batch.padded)
    many = 1 if settings.checkpointing else shape.layers
    kept = (_checkpoints(shape, settings, batch) if settings.checkpointing else 0.0) + batch.tokens * (many * layer.kept + layer.passing)
    last = batch.tokens * shape.hidden * settings.width  # the last layer's output
    found = parts | {"activations": kept + last, "workspace": _workspace(shape, settings)}
    return Peak("training", found if settings.gathered > 1 else _ungathered(found, shape.layers, _saved(shape, settings, batch)), paged)


def _saved(shape: Shape, settings: Settings, batch: Batch) -> float:
    """What the layers have saved for the backward pass, and it lets go layer by layer."""
    if settings.checkpointing:
        return 0.0 if settings.offload else _checkpoints(shape, settings, batch)
    return batch.tokens * shape.layers * layer_of(shape, settings, batch.length, padded=batch.padded).kept


def _ungathered(parts: dict[str, float], layers: int, saved: float) -> dict[str, float]:
    """The same where every step has one micro-batch. Gradients come as what was saved goes: the fullest moment is the first layer of the
    backward pass, with the gradients of one layer, or the last, with all of them."""
    first = parts | {"gradients": parts["gradients"] / layers}
    last = parts | {"activations": parts["activations"] - saved * (1 - 1 / layers)}
    return max(first, last, key=lambda found: sum(found.values()))


def _workspace(shape: Shape, settings: Settings) -> float:
    """A quantised matrix in bfloat16 while it is multiplied, a layer's adapters in bfloat16, and their gradients before they are added."""
    largest = max(linear.size for linear in shape.linears) * 2.0 if settings.bits < 16 else 0.0
    if shape.experts and settings.experts_quantised:
        largest = max(largest, shape.expert_layer * 2.0)  # all experts of a layer at once
    adapters = sum(settings.rank * (linear.inner + linear.outer) for linear in settings.adapted(shape))
    return CUBLAS + largest + adapters * (2.0 + 4.0)


def _final(shape: Shape, settings: Settings, batch: Batch) -> float:
    """The last layer's output, the final norm's input as it is kept, and its result."""
    return batch.tokens * shape.hidden * (2.0 * settings.width + (0.0 if settings.norm_kernel else 4.0 + settings.width))


def _loss(shape: Shape, settings: Settings, batch: Batch) -> Peak:
    """The moment when the loss goes back into the scores."""
    parts, paged = _standing(shape, settings)
    layer = layer_of(shape, settings, batch.length, padded=batch.padded)
    kept = _checkpoints(shape, settings, batch) if settings.checkpointing else batch.tokens * shape.layers * layer.kept
    scores = _scores(shape, settings, batch)
    parts |= {} if settings.gathered > 1 else {"gradients": 0.0}
    return Peak("loss", parts | {"activations": kept + _final(shape, settings, batch), "logits": scores, "workspace": CUBLAS}, paged)


def _scores(shape: Shape, settings: Settings, batch: Batch) -> float:
    """Bytes of the scores at their fullest.

    plain: three float32 numbers a score, logarithms and two gradients of them. liger: rows in chunks whose scores take as much as the
    hidden states do (Liger's fused_linear_cross_entropy), and the gradient of the hidden states. cut: never held.
    """
    if settings.loss == "plain":
        return 12.0 * batch.tokens * shape.vocabulary
    if settings.loss == "cut":
        return float(batch.tokens * shape.hidden * settings.width)
    return settings.width * (2.0 * piece_of(shape, batch.tokens) * shape.vocabulary + batch.tokens * shape.hidden)


def _evaluating(shape: Shape, settings: Settings, batch: Batch) -> Peak:
    """No gradients, but scores, where no kernel takes the loss without them: in bfloat16, as float32, and their logarithms."""
    parts, paged = _standing(shape, settings)
    scores = batch.tokens * shape.vocabulary * (settings.width + 8.0) if settings.loss == "plain" else _scores(shape, settings, batch)
    layer = layer_of(shape, replace(settings, checkpointing=False), batch.length, padded=batch.padded)
    passing = batch.tokens * (layer.passing + 4.0 * shape.hidden * settings.width)
    activations = _final(shape, settings, batch) if settings.loss == "plain" else max(passing, _final(shape, settings, batch))
    own = parts | {"gradients": 0.0, "activations": activations, "logits": scores, "workspace": CUBLAS}
    return Peak("evaluating", own, paged)
