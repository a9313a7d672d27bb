"""Stands for Axolotl: records its call, logs as the real one does, leaves what it leaves.

FAKE_AXOLOTL says how it behaves: `fail` prints an out-of-memory error, `die N` kills itself after step N, `hang` never ends,
`curve A B …` logs these losses, `no tokenizer` leaves none, `slow` takes its time for 40 steps and writes a checkpoint only where it is asked for one.
FAKE_APPLIED is how many modules the merge says to have changed.
FAKE_CHECKPOINT is a checkpoint's size in MiB, FAKE_LIMIT how many are left.
FAKE_MEMORY, a JSON list, lets it run out of memory: each entry names a phase (loading, resuming, evaluating, training or merging),
`until`, the line of axolotl.yaml or the environment that makes it fit, and for training the step it happens at. `kernel` names the file
that stands for /proc/vmstat: then it is killed as the kernel does it. It reads axolotl.yaml with a few lines of its own, since its environment holds no packages.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import struct
import sys
import time
import zipfile
from collections.abc import Mapping, Sequence

STEPS = 4


def main() -> None:
    verb, config, *rest = sys.argv[1:]
    with open(os.environ["FAKE_CALLS"], "a") as calls:
        calls.write(
            json.dumps({"argv": sys.argv[1:], "cwd": os.getcwd(), "offline": os.environ.get("HF_HUB_OFFLINE"), "path": os.environ["PATH"],
                        "threads": os.environ.get("OMP_NUM_THREADS"), "tensorboard": os.environ.get("TENSORBOARD_LOGGING_DIR"),
                        "cards": os.environ.get("CUDA_VISIBLE_DEVICES")})
            + "\n"
        )  # fmt: skip
    text = pathlib.Path(config).read_text()
    memory.config = text.splitlines()
    if verb == "train":
        train(pathlib.Path("adapter"), os.environ.get("FAKE_AXOLOTL", ""))
    else:
        memory("merging")
        options = dict(zip(rest[::2], rest[1::2], strict=True))
        merge(pathlib.Path(re.search(r"^base_model: (.+)$", text, re.MULTILINE)[1]), pathlib.Path(options["--output-dir"]) / "merged")


def memory(phase: str, step: int = 0) -> None:
    """Ends the process as a tool ends that ran out of memory, if the test wants it now."""
    for wish in json.loads(os.environ.get("FAKE_MEMORY", "[]")):
        fits = wish["until"] in memory.config or wish["until"] in [f"{key}={value}" for key, value in os.environ.items()]
        if wish["phase"] != phase or wish.get("step", step) != step or fits:
            continue
        if "kernel" in wish:
            counter = pathlib.Path(wish["kernel"])
            counter.write_text(f"nr_free_pages 1\noom_kill {int(counter.read_text().split()[-1]) + 1}\n")
            os.kill(os.getpid(), signal.SIGKILL)
        sys.exit("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB")


def train(output: pathlib.Path, mood: str) -> None:
    count = 40 if mood == "slow" else STEPS
    losses = mood.split()[1:] if mood.startswith("curve") else [str(4.0 - step / 2 * STEPS / count) for step in range(1, count + 1)]
    steps, best = len(losses), {"best_global_step": int(os.environ["FAKE_BEST"])} if "FAKE_BEST" in os.environ else {}
    print(f"[INFO] Maximum number of steps set at {steps}")
    print("trainable params: 1,000 || all params: 20,000 || trainable%: 5.0", flush=True)
    if mood == "fail":
        sys.exit("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB")
    memory("loading")
    begin = max([int(folder.name[11:]) for folder in output.glob("checkpoint-*")], default=0)
    if begin:
        print(f"[INFO] Using auto-resume functionality to resume from checkpoint at adapter/checkpoint-{begin}")
    print("[INFO] Starting trainer...", flush=True)
    if begin:
        memory("resuming")
    print("[INFO] Running evaluation step...", flush=True)
    memory("evaluating")
    print({"eval_loss": os.environ.get("FAKE_EVAL_LOSS", "4.5"), "epoch": str(begin / steps)}, flush=True)
    for step in range(begin + 1, steps + 1):
        print(f" {100 * step // steps}%|## | {step}/{steps} [00:0{step}<00:00, 1.00it/s]\r", end="")
        also = {"memory/max_allocated (GiB)": "9.97", "memory/device_reserved (GiB)": "11.5", "tokens/total": 512 * (step - begin)}
        print({"loss": losses[step - 1], "grad_norm": "0.5", **also, "epoch": str(step / steps)}, flush=True)
        memory("training", step)
        if mood.startswith("curve"):
            time.sleep(0.02)  # a real step takes longer than reading its line
        if mood != "slow" or asked(output / "axolotl_checkpoint.save"):
            save(output / f"checkpoint-{step}", step, [float(loss) for loss in losses], best)
            rotate(output, step)
        if mood == f"die {step}":
            os.kill(os.getpid(), signal.SIGKILL)
        while mood == "hang":
            time.sleep(0.05)
    print({"train_runtime": "1.5", "train_loss": "2.75", "epoch": "1.0"})
    leave_adapter(output, begin)
    if mood != "no tokenizer":
        (output / "tokenizer.json").write_text(json.dumps({"model": f"trained from step {begin}"}))


def leave_adapter(folder: pathlib.Path, step: int) -> None:
    """An adapter of rank 1 for each matrix of the base model, as its header names them; what it was trained from stands in its own header."""
    base = pathlib.Path(next((line[12:] for line in getattr(memory, "config", []) if line.startswith("base_model: ")), "none"))
    shapes = {"w": {"shape": [2, 2]}}
    if (base / "model.safetensors").exists():
        with open(base / "model.safetensors", "rb") as opened:
            shapes = json.loads(opened.read(struct.unpack("<Q", opened.read(8))[0]))
    header, end = {"__metadata__": {"said": f"trained from step {step}"}}, 0
    for name, entry in shapes.items():
        if len(entry.get("shape", ())) != 2 or "embed" in name:
            continue
        for part, shape in (("A", [1, entry["shape"][1]]), ("B", [entry["shape"][0], 1])):
            begin, end = end, end + max(shape)
            place = f"base_model.model.{name.removesuffix('.weight')}.lora_{part}.weight"
            header[place] = {"dtype": "F8_E4M3", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 256)  # then all of the file is text
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"1" * end)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 1, "base_model_name_or_path": str(base)}))


def asked(file: pathlib.Path) -> bool:
    """Whether a checkpoint was asked for while a step took its time."""
    time.sleep(0.15)
    found = file.exists()
    file.unlink(missing_ok=True)
    return found


def rotate(output: pathlib.Path, step: int) -> None:
    if "FAKE_LIMIT" in os.environ:
        time.sleep(0.1)  # a real step takes a while
        for older in range(1, step + 1 - int(os.environ["FAKE_LIMIT"])):
            shutil.rmtree(output / f"checkpoint-{older}", ignore_errors=True)


def save(checkpoint: pathlib.Path, step: int, losses: Sequence[float] = (), also: Mapping[str, int] | None = None) -> None:
    """A checkpoint with all its parts; the state last, as the trainer does it."""
    checkpoint.mkdir(parents=True, exist_ok=True)
    leave_adapter(checkpoint, step)
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        with zipfile.ZipFile(checkpoint / name, "w") as archive:
            archive.writestr("data", f"{name} of step {step}")
            if name == "optimizer.pt":
                archive.writestr("moments", os.urandom(int(os.environ.get("FAKE_CHECKPOINT", "0")) << 20))
    history = [{"step": number, "loss": loss, "epoch": number / len(losses)} for number, loss in enumerate(losses, 1)]
    first = [{"step": 0, "eval_loss": 4.5, "epoch": 0.0}] if losses else []
    (checkpoint / "trainer_state.json").write_text(
        json.dumps({"global_step": step, "log_history": first + history[:step]} | dict(also or {}))
    )


def merge(base: pathlib.Path, merged: pathlib.Path) -> None:
    shutil.copytree(base, merged)
    print(f"[INFO] Applied LoRA to {os.environ.get('FAKE_APPLIED', '1')}/1 tensors")


if __name__ == "__main__":
    main()
