"""How long a step takes on a card: products at its rate, everything else at its bandwidth, and the processor that starts it all.

Its constants (gpus.REACHED, MOST, starts.START and what stands beside it) are set from 13 trainings on H200s, with the shapes of
Llama-3.1-8B and Qwen3-4B; others were held out, of other sizes, ranks, lengths and models. benchmarks/results/forecast.md has them all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lorewright.training.forecast.gpus import Gpu
from lorewright.training.forecast.layer import layer_of
from lorewright.training.forecast.memory import NF4, Batch, trained
from lorewright.training.forecast.settings import Settings
from lorewright.training.forecast.shape import Shape
from lorewright.training.forecast.starts import starting_seconds

STREAM = 0.89  # of a memory's published bandwidth: an H200 copies 4.28 of 4.8 TB/s
# Bytes a second that a training's own kernels move at most, counted as the least that they could: set on H200s, whose memory is faster.
MOST = 2.2e12
# The attention of a causal row: half of rows × columns; the backward pass makes five products where the forward makes two.
BACKWARD_ATTENTION = 2.5
# Bytes of a score of eager attention, a pass: product, scale, mask, the sinks put beside it, the maximum taken off, softmax, the sinks left
# out, each read and written in half precision (transformers' gpt_oss); as much when it is repeated, and about as much backward.
EAGER = 30.0
TENSOR, BETWEEN = 6e-5, 0.015  # seconds for one tensor of the optimizer, and for what is done once between two steps
READ = 1e9  # bytes a second at which a model's files are read and put on the card


@dataclass(frozen=True)
class Work:
    """Of one micro-batch. products: floating-point operations. moved: bytes of the card's memory. started: seconds of the processor.

    waits: the processor looks at results of the card, so that they never work at the same time.
    """

    products: float
    moved: float
    started: float
    waits: bool = False

    def seconds(self, gpu: Gpu) -> float:
        on_card = self.products / (gpu.rate * gpu.reached) + self.moved / streamed(gpu)
        return on_card + self.started if self.waits else max(on_card, self.started)


def streamed(gpu: Gpu) -> float:
    """Bytes a second of its memory that a training reaches."""
    return min(gpu.bandwidth * STREAM, MOST)


def work_of(shape: Shape, settings: Settings, batch: Batch) -> Work:
    """A micro-batch forward and backward. Without half precision the products take eight times as long, with TF32 twice."""
    slower = 1.0 if settings.width == 2 else 2.0 if settings.tf32 else 8.0
    started = starting_seconds(shape, settings, batch.tokens)
    waits = settings.bits == 8  # bitsandbytes looks for outliers in every input
    return Work(_products(shape, settings, batch) * slower, _moved(shape, settings, batch), started, waits)


def evaluation_work(shape: Shape, settings: Settings, batch: Batch) -> Work:
    """Forward alone: a third of a training's work with gradient checkpointing."""
    whole, passes = work_of(shape, settings, batch), 3 if settings.checkpointing else 2
    return replace(whole, products=whole.products / passes, moved=whole.moved / passes, started=whole.started / passes)


def step_seconds(shape: Shape, settings: Settings, gpu: Gpu) -> float:
    """The optimizer: gradients are read and clipped, state and weights read and written; a call for each of its tensors."""
    tensors = shape.layers * (2 * len(settings.adapted(shape)) if settings.rank else len(shape.linears))
    return 24.0 * trained(shape, settings) / streamed(gpu) + TENSOR * tensors + BETWEEN


def _passes(settings: Settings) -> int:
    return 3 if settings.checkpointing else 2


def _products(shape: Shape, settings: Settings, batch: Batch) -> float:
    """Two operations a weight and token for the forward pass, for its repetition, and for the gradient of the input; two more where
    the weight itself is trained (the output matrix is not repeated)."""
    own = 0 if settings.rank else 1
    layers = 2.0 * shape.working * (_passes(settings) + own)
    head = 2.0 * shape.embedding * (2 + own)
    adapter = 2.0 * trained(shape, settings) * (_passes(settings) + 1) if settings.rank else 0.0
    whole = 2.0 if settings.attention == "eager" else 1.0
    attention = 2.0 * whole * batch.length * shape.queries * shape.layers * (_passes(settings) - 1 + BACKWARD_ATTENTION)
    return batch.tokens * (layers + head + adapter + attention)


def _moved(shape: Shape, settings: Settings, batch: Batch) -> float:
    layers = batch.tokens * shape.layers * layer_of(shape, settings, batch.length, padded=batch.padded).moved
    # scores: Liger reads and writes them in place; else as bfloat16, float32, logarithms and two gradients, copied for the loss
    scores = batch.tokens * shape.vocabulary * {"plain": 46.0, "liger": 8.0, "cut": 0.0}[settings.loss]
    rows = EAGER * batch.length * shape.heads * batch.tokens * shape.layers * _passes(settings) if settings.attention == "eager" else 0.0
    return layers + scores + rows + _unpacked(shape, settings)


def _unpacked(shape: Shape, settings: Settings) -> float:
    """Quantised weights are read, written as bfloat16 and read once more, in every pass."""
    if settings.bits > 8:
        return 0.0
    stored = NF4 if settings.bits == 4 else 1.0
    experts = shape.layers * shape.expert_layer if settings.experts_quantised else 0
    return _passes(settings) * (shape.linear_parameters + experts) * (stored + 2.0 + 2.0)
