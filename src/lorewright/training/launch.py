"""The command that starts Axolotl on the cards of a training, by the launcher that the recipe names. Pure.

accelerate, torchrun: Axolotl starts them itself. deepspeed: DeepSpeed's own launcher starts Axolotl's training module.
ray: Axolotl asks Ray Train for one worker a card.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FILE = "axolotl.yaml"
# Ray's workers stay in the folder that the configuration's paths and plugins are relative to, and each line of their logs is shown.
RAY = {"PYTHONPATH": ".", "RAY_CHDIR_TO_TRIAL_DIR": "0", "RAY_DEDUP_LOGS": "0", "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "300"}
# accelerate holds a trainer without this variable to one thread; several on one processor share its threads.
THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True)
class Launcher:
    """What a training runs on. name: as the recipe has it. processes: one a card; without a card, one on the processor.

    cards: their numbers as in `0,1`, in nvidia-smi's order; "" where the launcher takes all that it sees.
    """

    name: str
    processes: int = 1
    cards: str = ""

    def command(self, folder: Path, port: int) -> list[str]:
        """folder: the environment's `bin`. port: a free one, by which the processes meet."""
        number, axolotl = str(self.processes), [str(folder / "axolotl"), "train", FILE]
        if self.name == "ray":
            return [*axolotl, "--use-ray", "--ray-num-workers", number]
        if self.name == "deepspeed":
            runner = [str(folder / "python"), "-m", "deepspeed.launcher.runner", "--hostfile", "/dev/null", "--master_port", str(port)]
            return [*runner, "--include", f"localhost:{self.cards}", "--no_local_rank", "--module", "axolotl.cli.train", FILE]
        if self.name == "torchrun":
            return [*axolotl, "--launcher", "torchrun", "--", "--standalone", "--nproc_per_node", number]
        if self.processes == 1:
            return axolotl
        return [*axolotl, "--launcher", "accelerate", "--", "--multi_gpu", "--num_processes", number, "--main_process_port", str(port)]

    def by_hand(self) -> str:
        """The same for a person, with the environment's commands first in PATH."""
        name, *words = self.command(Path(), 29500)
        return " ".join([Path(name).name, *words])

    def variables(self, threads: int) -> dict[str, str]:
        """What the launcher's environment needs. threads: of this machine."""
        found = {THREADS: str(max(1, threads // self.processes))}
        if self.cards:
            found |= {"CUDA_VISIBLE_DEVICES": self.cards, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        return found | (RAY if self.name == "ray" else {})
