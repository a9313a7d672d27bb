"""NF4 codes and statistics, beside a plain reckoning and beside the real bitsandbytes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from lorewright import envs, process
from lorewright.errors import LorewrightError
from lorewright.models.nf4.floats import VALUES, quantise
from lorewright.models.nf4.mxfp4 import dequantised, quantise_experts
from lorewright.models.nf4.statistics import double_quantised
from tests.models.nf4.mxfp4_model import bf16, experts

SHAPES = {"small": (3, 128, 4), "odd": (3, 100, 5), "one": (1, 63, 1), "wide": (1, 640, 90)}


def made_mxfp4() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(7)
    cases = {name: experts(random, *shape) for name, shape in SHAPES.items()}
    cases["subnormal"] = experts(random, 2, 128, 4, 0, 5)
    cases["large"] = experts(random, 1, 128, 4, 200, 240)
    cases["spread"] = experts(random, 2, 128, 3, 0, 230)
    blocks, scales = experts(random, 1, 128, 2)
    cases["zeros"] = (blocks & 0x88, scales)
    return cases


def made_bf16() -> dict[str, np.ndarray]:
    random = np.random.default_rng(8)
    shapes = [(129, 65), (64, 64), (1, 7), (31, 1), (256, 1024)]
    cases = {f"normal{number}": bf16(random.normal(size=shape))[1] for number, shape in enumerate(shapes)}
    cases["tiny"] = bf16(random.normal(size=(33, 64)) * 1e-38)[1]
    cases["large"] = bf16(random.normal(size=(33, 64)) * 1e33)[1]
    cases["zeros"] = np.zeros((3, 43), np.uint16)
    cases["exact"] = np.tile(np.linspace(-1, 1, 64, dtype=np.float32).view(np.uint32) >> 16, 300).astype(np.uint16)
    return cases


@pytest.mark.req("Z4")
@pytest.mark.parametrize("name", made_mxfp4())
def test_the_table_gives_what_the_floats_give(name: str) -> None:
    blocks, scales = made_mxfp4()[name]
    codes, absmax = quantise_experts(blocks, scales)
    plain = quantise(np.concatenate([dequantised(*expert).reshape(-1) for expert in zip(blocks, scales, strict=True)]))
    assert np.array_equal(codes, plain[0])
    assert np.array_equal(absmax, plain[1])


@pytest.mark.req("Z4")
def test_codes_are_the_nearest_of_nf4s_values() -> None:
    values = np.random.default_rng(9).normal(size=64 * 500).astype(np.float32)
    codes, absmax = quantise(values)
    unpacked = np.stack([codes >> 4, codes & 15], axis=-1).reshape(-1, 64)
    distance = np.abs(values.reshape(-1, 64)[..., None] / absmax[:, None, None] - VALUES)
    assert np.array_equal(distance.argmin(axis=-1), unpacked)
    assert np.array_equal(absmax, np.abs(values.reshape(-1, 64)).max(axis=1))


@pytest.mark.req("Z4")
@pytest.mark.parametrize("scale", [255, 254])
def test_weights_that_are_not_finite_are_refused(scale: int) -> None:
    blocks = np.full((1, 64, 1, 16), 0x77, np.uint8)
    with pytest.raises(LorewrightError, match="infinities"):
        quantise_experts(blocks, np.full((1, 64, 1), scale, np.uint8))


@pytest.mark.req("Z4")
@pytest.mark.real
def test_every_bit_is_what_bitsandbytes_makes(tmp_path: Path) -> None:
    """Codes, magnitudes quantised once more, their own magnitudes, offset and both maps, of tensors of every kind."""
    packed, plain = made_mxfp4(), made_bf16()
    arrays = {f"m.{name}.{part}": array for name, case in packed.items() for part, array in zip(("blocks", "scales"), case, strict=True)}
    arrays |= {f"f.{name}.bf16": array for name, array in plain.items()}
    ours = {f"m.{name}": quantise_experts(*case) for name, case in packed.items()}
    ours |= {f"f.{name}": quantise((case.astype(np.uint32) << 16).view(np.float32).reshape(-1)) for name, case in plain.items()}
    theirs = by_bitsandbytes(tmp_path, arrays)
    for name, (codes, magnitudes) in ours.items():
        statistics = double_quantised(magnitudes)
        assert np.array_equal(theirs[f"{name}.codes"].reshape(-1), codes), name
        assert np.array_equal(theirs[f"{name}.absmax"], statistics.codes), name
        assert np.array_equal(theirs[f"{name}.nested_absmax"], statistics.absmax), name
        state = theirs[f"{name}.quant_state.bitsandbytes__nf4"].tobytes().decode()
        assert f'"nested_offset": {statistics.offset.item()!r}' in state, name


def by_bitsandbytes(folder: Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the train environment's bitsandbytes makes of tensors."""
    np.savez(folder / "cases.npz", **arrays)
    script = Path(__file__).with_name("against_bitsandbytes.py")
    environment = process.tool_environment(envs.ensure("train"), {"HF_HUB_OFFLINE": "1"})
    command = [envs.locate("train").python, str(script), str(folder / "cases.npz"), str(folder / "out.npz")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return dict(np.load(folder / "out.npz"))
