"""The estimate replaced by what a probe measured."""

from __future__ import annotations

from lorewright.training.forecast.calibration import Correction
from lorewright.training.forecast.lengths import usual
from lorewright.training.forecast.memory import Batch, highest
from lorewright.training.forecast.predict import Forecast
from lorewright.training.forecast.speed import step_seconds, work_of
from lorewright.training.probing import Probed, gathered_of


def correction_by(probed: Probed, computed: Forecast) -> Correction:
    """Measured over computed, for the very batches of the probe. On a processor memory stays as it was computed."""
    settings, shape, gpu = computed.settings, computed.model.shape, computed.gpu
    batch = Batch(settings.micro, settings.length) if settings.packed else usual(probed.lengths, settings.micro)
    step = gathered_of(computed.config) * work_of(shape, settings, batch).seconds(gpu) + step_seconds(shape, settings, gpu)
    peak = highest([peak for peak in computed.phases if peak.phase != "loading"])  # Axolotl begins to count when the model is loaded
    return Correction(probed.peak / peak.allocated if probed.peak else 1.0, probed.step / step)
