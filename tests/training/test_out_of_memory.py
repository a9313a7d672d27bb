"""That memory ran out is seen, and while doing what; other ends are not taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorewright.training import out_of_memory
from lorewright.training.out_of_memory import kernel_kills, phase, ran_out

LOADING = "[axolotl.loaders.model] Converting modules to torch.float32\ntrainable params: 802,816 || all params: 17,849,856\n"
STARTED = LOADING + "[INFO] [axolotl.train] Starting trainer...\n"
RESUMED = (
    LOADING + "Using auto-resume functionality to resume from checkpoint at adapter/checkpoint-6\n[axolotl.train] Starting trainer...\n"
)
EVALUATION = "[INFO] [axolotl.core.trainers.base] Running evaluation step...\n 50%|#####     | 2/4 [00:02<00:02,  1.34s/it]\n"
EVALUATED = "{'eval_loss': '4.155', 'eval_runtime': '10.59', 'epoch': '0'}\n"
STEP = "  5%|#         | 1/22 [00:22<07:49, 22.34s/it]\n{'loss': '3.817', 'grad_norm': '1.477', 'epoch': '0.09'}\n"


@pytest.mark.req("F4")
@pytest.mark.parametrize(("log", "wanted"), [
    ("", "loading"), (LOADING, "loading"), (STARTED, "training"), (STARTED + STEP, "training"), (STARTED + EVALUATION, "evaluating"),
    (STARTED + EVALUATION + EVALUATED, "training"), (STARTED + EVALUATION + EVALUATED + STEP + EVALUATION, "evaluating"),
    (RESUMED, "resuming"), (RESUMED + EVALUATION, "evaluating"), (RESUMED + EVALUATION + EVALUATED, "resuming"), (RESUMED + STEP, "training"),
])  # fmt: skip
def test_the_log_tells_what_was_being_done(log: str, wanted: str) -> None:
    assert phase(log) == wanted


@pytest.mark.req("F4")
@pytest.mark.parametrize(("log", "code", "kills", "wanted"), [
    ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.63 GiB", 1, 0, True),
    ("torch.AcceleratorError: CUDA error: out of memory", 1, 0, True),
    ("Error out of memory at line 380 in file /src/csrc/pythonInterface.cpp", 1, 0, True),
    ("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", 1, 0, True),
    ("RuntimeError: [enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes", 1, 0, True),
    ("Traceback\nMemoryError\n", 1, 0, True),
    ("", -9, 1, True),
    ("subprocess.CalledProcessError: Command '[...]' died with <Signals.SIGKILL: 9>.", 1, 1, True),
    ("  rank      : 1 (local_rank: 1)\n  exitcode  : -9 (pid: 29057)\n  traceback : Signal 9 (SIGKILL) received by PID 29057", 1, 1, True),
    ("[rank1]: torch.OutOfMemoryError: CUDA out of memory.\n  rank      : 0 (local_rank: 0)\n  exitcode  : -15 (pid: 29056)  (SIGTERM)", 1, 0, True),
    ("[launch.py:335:sigkill_handler] Killing subprocess 149\n['python', '-m', 'axolotl.cli.train'] exits with return code = -9", 1, 1, True),
    ("['python', '-m', 'axolotl.cli.train'] exits with return code = -9", 1, 0, False),
    ("(1) The process is killed by SIGKILL by OOM killer due to high memory usage.", 1, 1, True),
    ("(1) The process is killed by SIGKILL by OOM killer due to high memory usage.", 1, 0, False),
    ("ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory.", 1, 0, True),
    ("  rank      : 1 (local_rank: 1)\n  exitcode  : 1 (pid: 29057)\n", 1, 1, False),
    ("", -9, 0, False), ("died with <Signals.SIGKILL: 9>.", 1, 0, False),
    ("", 1, 1, False), ("", -15, 1, False),
    ("torch.OutOfMemoryError: CUDA out of memory.\nOSError: [Errno 28] No space left on device", 1, 0, False),
    ("ValueError: loss is not finite", 1, 0, False),
])  # fmt: skip
def test_only_a_want_of_memory_is_taken_for_one(log: str, code: int, kills: int, wanted: bool) -> None:
    assert ran_out(log, code, kills) is wanted


def test_the_kernels_count_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out_of_memory, "COUNTER", tmp_path / "vmstat")
    assert kernel_kills() == 0
    (tmp_path / "vmstat").write_text("nr_free_pages 3099065\noom_kill 3\nswap_ra 0\n")
    assert kernel_kills() == 3
