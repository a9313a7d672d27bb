"""Bytes of a card's memory and of its traffic that one token costs in one layer: counted from what the tools do, tensor by tensor.

Read from transformers 5.16 (models/llama), PEFT 0.20 (tuners/lora/layer.py), Axolotl 0.19 (kernels/lora.py) and Liger 0.8. The names:
h hidden, q all query heads, k all key heads, i the MLP's width, w bytes of an activation (2 in bfloat16).
"""

from __future__ import annotations

from dataclasses import dataclass

from lorewright.training.forecast.settings import Settings
from lorewright.training.forecast.shape import MLP, Shape


@dataclass(frozen=True)
class Layer:
    """kept: bytes a token that the backward pass of a layer needs. passing: what that pass holds beside it at its fullest.

    moved: bytes a token that the element-wise work of a layer reads and writes in a whole step (forward, again for a checkpoint, backward).
    """

    kept: float
    passing: float
    moved: float


def layer_of(shape: Shape, settings: Settings, length: int, *, padded: bool) -> Layer:
    """length: tokens of a row. padded: rows of a batch have different lengths, so that attention gets a mask."""
    mlp_kept, mlp_passing = _mlp(shape, settings)
    kept = _norms_kept(shape, settings) + _attention_kept(shape, settings, length, padded) + mlp_kept
    held = 2 * shape.hidden * settings.width  # the layer's output and its gradient
    attention = _eager_passing(shape, settings, length)
    return Layer(kept + held, max(mlp_passing, attention), _moved(shape, settings))


def _norms_kept(shape: Shape, settings: Settings) -> float:
    """Both norms. transformers' own keeps its input as float32; Liger's keeps the input: of the first norm that is the checkpoint."""
    return 1.0 * settings.width * shape.hidden if settings.norm_kernel else 2 * 4.0 * shape.hidden


def _adapter_input(name: str, inner: int, settings: Settings) -> float:
    """What PEFT keeps of an adapted matrix's input: a copy in the type of training, and the mask of the dropout (a byte each)."""
    if name not in settings.targets or not settings.rank:
        return 0.0
    return inner * (settings.width + (1 if settings.dropout else 0)) + settings.rank * settings.width


def _attention_kept(shape: Shape, settings: Settings, length: int, padded: bool) -> float:
    h, q, k, w = shape.hidden, shape.queries, shape.keys, settings.width
    dropped = (w + 1) * 1.0 if settings.dropout else 0.0  # what dropout gives, and its mask
    if "qkv" in settings.kernels:
        kept = h * (w + dropped)  # the fused function keeps its input once for all three
    elif not settings.rank:  # a model trained whole keeps every matrix's input, for the gradient of its weight
        kept = 1.0 * h * w
    else:
        kept = sum(_adapter_input(name, h, settings) for name in ("q_proj", "k_proj", "v_proj"))
    kept += w * (q + 2 * k)  # queries, keys and values, as attention keeps them
    if shape.head_norms:
        kept += (q + k) * (w if settings.norm_kernel else 4)
    if settings.attention == "eager" or (padded and settings.attention == "sdpa"):
        kept += 2 * w * (q - k)  # keys and values repeated for every head; sdpa wants it where there is a mask
    kept += w * q + 4 * shape.heads  # attention's result, and the logarithm of its sums
    kept += _weights(shape, settings, length)
    return kept + (q * dropped if "o" in settings.kernels else _adapter_input("o_proj", q, settings))


def _weights(shape: Shape, settings: Settings, length: int) -> float:
    """The matrix of attention weights that the eager way keeps; but for gpt-oss in float32 too, after its softmax."""
    each = settings.width + (0 if shape.kind == "gpt_oss" else 4)
    return float(each * shape.heads * length) if settings.attention == "eager" else 0.0


def _eager_passing(shape: Shape, settings: Settings, length: int) -> float:
    """The gradients of that matrix: of the weights, before and after their softmax."""
    return 3.0 * settings.width * shape.heads * length if settings.attention == "eager" else 0.0


def _mlp(shape: Shape, settings: Settings) -> tuple[float, float]:
    h, i, w = shape.hidden, shape.intermediate, settings.width
    if shape.experts:
        # for every expert of a token: gate and up together, what their activation keeps, and the output before it is weighted
        activated = 4.0 if shape.kind == "gpt_oss" else 1.0
        return shape.used * w * (h + (2.0 + activated) * i), shape.used * w * (1.0 * h + 3.0 * i)
    if "mlp" in settings.kernels:
        dropped = (w + 1) * 1.0 if settings.dropout else 0.0
        # kept: input (and its dropout), gate, up; passing: the gradient of the product, of the input, and of the dropped input
        return h * (w + dropped) + 2.0 * w * i, w * (i + h * (2.0 if settings.dropout else 1.0))
    adapted = sum(_adapter_input(name, h if name != MLP[2] else i, settings) for name in MLP) if settings.rank else 1.0 * w * (h + i)
    if settings.glu_kernel:  # keeps gate and up, and writes their gradients in their place; an adapted down_proj adds a float32 copy
        return adapted + 2.0 * w * i, w * i + (4.0 * i if MLP[2] in settings.targets else 0.0)
    return adapted + 3.0 * w * i, 3.0 * w * i  # the activated gate too, and a gradient for each


def _moved(shape: Shape, settings: Settings) -> float:
    """Reads and writes of norms, rotations, residuals and the gate, and of the adapters' thin products, which bandwidth bounds."""
    h, w = shape.hidden, settings.width
    forwards = 2 if settings.checkpointing else 1
    # RMSNorm: Liger reads and writes once (forward) and reads twice, writes once (backward). transformers' own makes six passes
    # forward (36 bytes a number in bfloat16) and about eleven backward (66 bytes).
    norm = (forwards * 2 * w + 3 * w) if settings.norm_kernel else (forwards * 36 + 66)
    moved = norm * (2.0 * h + (shape.queries + shape.keys if shape.head_norms else 0))
    rotated = shape.queries + shape.keys
    moved += rotated * ((forwards + 1) * 2 * w if settings.rope_kernel else (forwards + 1) * 15 * w)
    moved += 2 * 3.0 * w * h * (forwards + 1)  # two residual additions: two reads and a write
    wide = shape.intermediate * (shape.used or 1)
    moved += wide * w * ((forwards * 3 + 6) if settings.glu_kernel or "mlp" in settings.kernels else (forwards * 5 + 9))
    return moved + _adapter_moved(shape, settings, forwards) + _dropped_moved(shape, settings, forwards)


def _dropped_moved(shape: Shape, settings: Settings, forwards: int) -> float:
    """Dropout reads its input, writes the result and a mask; Axolotl's fused functions drop once for matrices that share an input."""
    if not settings.dropout or not settings.rank:
        return 0.0
    shared = shape.queries + 2 * shape.hidden if settings.kernels else sum(linear.inner for linear in settings.adapted(shape))
    return float(shared * (forwards + 1) * (2 * settings.width + 1))


def _adapter_moved(shape: Shape, settings: Settings, forwards: int) -> float:
    """Forward: the input is read, the result read and written. Backward: both are read twice, the input's gradient is updated."""
    w = settings.width
    return sum(
        forwards * w * (linear.inner + 2 * linear.outer) + w * (2 * linear.outer + 4 * linear.inner) for linear in settings.adapted(shape)
    ) * (1.0 if settings.kernels else 2.0)  # PEFT casts its input to float32 and back
