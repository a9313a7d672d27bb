"""One configuration on one card: memory, steps, time, the machine's memory and disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

from lorewright.training.estimate import steps as steps_of
from lorewright.training.forecast.calibration import NONE, Correction
from lorewright.training.forecast.found import Model
from lorewright.training.forecast.gpus import Gpu
from lorewright.training.forecast.lengths import Lengths, fullest, limited, usual
from lorewright.training.forecast.memory import GIB, STATE, STATES, Batch, Peak, highest, peaks, trained
from lorewright.training.forecast.settings import Settings, settings_of
from lorewright.training.forecast.sharing import on_each, shared_of
from lorewright.training.forecast.speed import READ, evaluation_work, step_seconds, work_of

# How far a forecast of the peak may be off: within it of the card's memory is tight.
MARGIN = 0.10
HOST = 4 * GIB  # Python, PyTorch, the CUDA libraries and the set
KEPT = 4  # Axolotl's save_total_limit where none is given (its core/builders/base.py); preflight/disk.py counts with the same
SHARD = 5e9  # bytes: the hub's files are of this size at most, and one is read at a time
Verdict = Literal["fits", "tight", "does not fit"]


@dataclass(frozen=True)
class Resources:
    """Bytes. memory: of the machine. files: the base model's. checkpoints: all that are kept at once."""

    memory: float
    files: float
    checkpoints: float
    adapter: float
    merged: float

    @property
    def disk(self) -> float:
        return self.files + self.checkpoints + self.adapter + self.merged


@dataclass(frozen=True)
class Time:
    """Seconds, as computed. tokens: trained on, all epochs, without filling. card_bound: the card takes the time, not the processor
    that starts its work."""

    steps: int
    tokens: int
    training: float
    evaluating: float
    loading: float
    card_bound: bool


@dataclass(frozen=True)
class Forecast:
    """phases: the peak of each on one card, as computed. shared: parts of it that are divided by the cards. probed: the correction was
    measured in a few real steps of this very training."""

    config: Mapping[str, Any]
    model: Model
    settings: Settings
    gpu: Gpu
    devices: int
    lengths: Lengths
    phases: tuple[Peak, ...]
    time: Time
    resources: Resources
    correction: Correction
    probed: bool = False
    shared: tuple[str, ...] = ()

    @property
    def peak(self) -> Peak:
        return highest(self.phases)

    @property
    def trained(self) -> int:
        return trained(self.model.shape, self.settings)

    @property
    def allocated(self) -> float:
        """Bytes, in PyTorch's count."""
        return max(self.counted, *(peak.allocated for peak in self.phases if peak.phase == "loading"))

    @property
    def counted(self) -> float:
        """The same as Axolotl counts, which begins when the model is loaded; with what finished trainings have taught."""
        return self.correction.memory * max(peak.allocated for peak in self.phases if peak.phase != "loading")

    @property
    def needed(self) -> float:
        """Bytes that the card must have free."""
        return self.allocated + self.peak.needed - self.peak.allocated

    @property
    def verdict(self) -> Verdict:
        if self.needed * (1 + (0 if self.probed else MARGIN)) <= self.gpu.memory:
            return "fits"
        return "tight" if self.needed <= self.gpu.memory else "does not fit"

    @property
    def training_seconds(self) -> float:
        return self.time.training * self.correction.time

    @property
    def evaluating_seconds(self) -> float:
        return self.time.evaluating * self.correction.time

    @property
    def seconds(self) -> float:
        return self.training_seconds + self.evaluating_seconds + self.time.loading

    @property
    def tokens_per_second(self) -> float:
        return self.time.tokens / self.training_seconds if self.training_seconds else 0.0


def predict(
    config: Mapping[str, Any], model: Model, gpu: Gpu, lengths: Lengths, *, devices: int = 1, correction: Correction = NONE
) -> Forecast:
    """config: Axolotl's. devices: cards that share the examples of a step, each with the whole model unless the
    configuration shares that too."""
    settings = settings_of(config, model.shape)
    training = limited(lengths.training, settings.length)
    held_out = limited(lengths.held_out, int(config.get("eval_sequence_len") or settings.length)) if settings.evaluated else {}
    full = fullest(training, settings.micro, settings.length, packed=settings.packed)
    evaluated = fullest(held_out, settings.evaluated, settings.length, packed=settings.packed) if held_out else None
    shared = shared_of(config) if devices > 1 else ()
    phases = tuple(on_each(peak, shared, devices, model.shape, settings) for peak in peaks(model.shape, settings, full, evaluated))
    time = _time(config, model, settings, gpu, training, held_out, devices)
    resources = _resources(config, model, settings, time.steps)
    return Forecast(config, model, settings, gpu, devices, lengths, phases, time, resources, correction, shared=shared)


def _time(
    config: Mapping[str, Any], model: Model, settings: Settings, gpu: Gpu, training: Mapping[int, int], held_out: Mapping[int, int],
    devices: int,
) -> Time:  # fmt: skip
    samples, tokens = sum(training.values()), sum(length * count for length, count in training.items())
    steps = steps_of(config, samples, tokens, packed=settings.packed, devices=devices)
    whole = max(1, steps_of({**config, "max_steps": None}, samples, tokens, packed=settings.packed, devices=devices))
    epochs = float(config.get("num_epochs") or 1) * steps / whole
    batch = Batch(settings.micro, settings.length) if settings.packed else usual(training, settings.micro)
    rows = tokens / settings.length if settings.packed else samples
    work = work_of(model.shape, settings, batch)
    seconds = rows * epochs / settings.micro / devices * work.seconds(gpu) + steps * step_seconds(model.shape, settings, gpu)
    evaluating = _evaluations(config, steps) * _evaluation(model, settings, gpu, held_out, devices)
    return Time(steps, round(tokens * epochs), seconds, evaluating, model.disk / READ, work.started < work.seconds(gpu))


def _evaluations(config: Mapping[str, Any], steps: int) -> float:
    """How often it looks at what is held out; once more before the first step, as Axolotl does."""
    if config.get("evals_per_epoch"):
        return 1 + float(config["evals_per_epoch"]) * float(config.get("num_epochs") or 1)
    every = float(config.get("eval_steps") or 0)
    if not every:
        return float(config.get("num_epochs") or 1) if config.get("eval_strategy") == "epoch" else 0.0
    return 1 / every if every < 1 else float(steps // every)


def _evaluation(model: Model, settings: Settings, gpu: Gpu, held_out: Mapping[int, int], devices: int) -> float:
    """Seconds of one."""
    if not held_out:
        return 0.0
    batch = usual(held_out, settings.evaluated)
    return ceil(sum(held_out.values()) / settings.evaluated / devices) * evaluation_work(model.shape, settings, batch).seconds(gpu)


def _resources(config: Mapping[str, Any], model: Model, settings: Settings, steps: int) -> Resources:
    """Checkpoints hold the adapter in float32 and the optimizer's state; one more than is kept stands while it is pruned."""
    shape = model.shape
    adapter = (4.0 if settings.rank else 2.0) * trained(shape, settings)
    each = adapter + STATES.get(settings.optimizer, STATE) * trained(shape, settings)
    saves = float(config.get("saves_per_epoch") or 0) * float(config.get("num_epochs") or 1)
    every = float(config.get("save_steps") or 0)
    made = saves or (1 / every if 0 < every < 1 else steps / every if every else float(config.get("num_epochs") or 1))
    kept = min(int(config.get("save_total_limit") or KEPT) + 1, ceil(made)) if config.get("save_strategy") != "no" else 0
    layers = shape.linear_parameters * 2.0 * settings.bits / 16 if settings.layers_offloaded else 0.0
    waiting = shape.layers * settings.micro * settings.length * shape.hidden * settings.width if settings.offload else 0.0
    merged = 2.0 * shape.parameters if settings.rank else 0.0
    return Resources(HOST + min(model.disk, SHARD) + layers + waiting, model.disk, kept * each, adapter, merged)
