"""llama.cpp at work: converter, quantiser and engine, each a process in the export environment."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lorewright
from lorewright import envs, process
from lorewright.errors import LorewrightError
from lorewright.manifest import read_json, write_json
from lorewright.models.export.bos import told
from lorewright.models.weights import tensors_of
from lorewright.progress import Bar
from lorewright.recipe.gguf_types import SAME, TYPES

WORKERS = Path(lorewright.__file__).parent / "workers"
WRITTEN, TENSOR, SEEN = re.compile(r"Writing:\s+(\d+)%"), re.compile(r"\[\s*(\d+)/\s*(\d+)\]"), re.compile(r"observed (\d+)/(\d+)")
# The largest share of a 16-bit file that a file of the type takes: what does not fit into its blocks is written larger.
SHARES = {"F32": 2.0, "F16": 1.0, "BF16": 1.0, "Q8_0": 0.6, "MXFP4_MOE": 0.6}
OTHER_SHARE = 0.5
STEP = "WORK."  # a file that is being written is named so, and never taken for one that is whole


@dataclass(frozen=True)
class Place:
    """log: all that the tools print. folder: where they work."""

    log: Path
    folder: Path


def convert(model: Path, name: str, into: Path, place: Place, bar: Bar, *, add_bos: bool | None = None) -> None:
    """The model's folder as a GGUF file in its own precision.

    name: what the file says it is called. add_bos: whether engines shall begin a text with the token for it; None leaves it to the
    converter. Raises LorewrightError.
    """
    weights = sum(file.stat().st_size for file in model.glob("*.safetensors"))
    check_room(into.parent, weights, "the GGUF file")
    env = envs.ensure("export")
    script = str(_converter() / "convert_hf_to_gguf.py")

    def on_line(line: str) -> None:
        hit = WRITTEN.search(line)
        bar(int(hit[1]) if hit else 0, 100 if hit else None, "llama.cpp's converter")

    def make(beside: Path) -> None:
        with told(model, place.folder, add_bos) as seen:
            words = [str(seen), "--outtype", own_type(model), "--model-name", name, "--outfile", str(beside)]
            _run([env.python, script, *words], place, on_line)
        if add_bos is not None and describe(beside, place)["add_bos"] != add_bos:  # it believed tokenizer.json more
            _worker("set_add_bos.py", [str(_converter()), str(beside), str(int(add_bos))], place, None)

    _whole(into, make)


def _converter() -> Path:
    return next(envs.ensure("export").path.glob("lib/python3*/site-packages/llama_cpp/converter"))


def own_type(model: Path) -> str:
    """How the converter calls the precision of most of the model's weights; auto where it has no word for it."""
    found: dict[str, int] = {}
    for file in sorted(model.glob("*.safetensors")):
        for tensor in tensors_of(file)[0].values():
            found[tensor.dtype] = found.get(tensor.dtype, 0) + tensor.end - tensor.begin
    return SAME.get(max(found, key=lambda dtype: found[dtype], default=""), "auto")


def quantise(source: Path, kind: str, into: Path, place: Place, bar: Bar) -> None:
    """The GGUF file in another type. kind: a name of TYPES. Raises LorewrightError."""
    check_room(into.parent, source.stat().st_size * SHARES.get(kind, OTHER_SHARE), f"the {kind} file")

    def on_line(line: str) -> None:
        hit = TENSOR.search(line)
        if hit:
            bar(int(hit[1]), int(hit[2]), kind)

    _whole(into, lambda beside: _worker("quantise_gguf.py", [str(source), str(beside), str(TYPES[kind])], place, on_line))


def describe(file: Path, place: Place) -> dict[str, Any]:
    """What the file says of itself: workers/describe_gguf.py has the keys."""
    return _answer("describe_gguf.py", [str(file)], place)


def chat(file: Path, asked: dict[str, Any], place: Place) -> dict[str, Any]:
    """One answer of the file. asked, and the answer's keys: workers/chat_gguf.py has them."""
    write_json(place.folder / "asked.json", asked)
    found = _answer("chat_gguf.py", [str(file), str(place.folder / "asked.json")], place)
    (place.folder / "asked.json").unlink()
    return found


def observe_gguf(file: Path, asked: Path, into: Path, log: Path, bar: Bar = lambda done, total, note="": None) -> None:
    """What the file finds likely after each of the questions of `asked`; written to `into`.

    Both files are of lines of JSON: workers/parity_gguf.py has their keys. Raises LorewrightError.
    """

    def on_line(line: str) -> None:
        hit = SEEN.search(line)
        if hit:
            bar(int(hit[1]), int(hit[2]), file.name)

    words = ["--model", str(file), "--asked", str(asked), "--observed"]
    place = Place(log, into.parent)
    _whole(into, lambda beside: _worker("parity_gguf.py", [*words, str(beside)], place, on_line))


def check_room(folder: Path, wanted: float, what: str) -> None:
    """Raises LorewrightError when the disk has not as many bytes left."""
    free = shutil.disk_usage(folder).free
    if free < wanted:
        said = f"{what} takes up to {wanted / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"
        raise LorewrightError(said, where=str(folder), remedy="make room, then run again: what is whole is kept")


def _whole(into: Path, make: Callable[[Path], None]) -> None:
    """Lets a file be written beside and renames it when it is whole; what an interrupted run has left goes first."""
    beside = into.with_name(f"{STEP}{into.name}")
    beside.unlink(missing_ok=True)
    try:
        make(beside)
    except LorewrightError:
        beside.unlink(missing_ok=True)
        raise
    beside.rename(into)


def _answer(script: str, words: list[str], place: Place) -> dict[str, Any]:
    into = place.folder / f"{STEP}answer.json"
    _worker(script, [*words, str(into)], place, None)
    found: dict[str, Any] = read_json(into)
    into.unlink()
    return found


def _worker(script: str, words: list[str], place: Place, on_line: Callable[[str], None] | None) -> None:
    _run([envs.ensure("export").python, str(WORKERS / script), *words], place, on_line)


def _run(command: list[str], place: Place, on_line: Callable[[str], None] | None) -> None:
    variables = process.tool_environment(envs.ensure("export"), {"HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"})
    process.run(command, environment=variables, log=place.log, folder=place.folder, on_line=on_line)
