"""Stands for the train environment's python answering prompts: the real worker, with a voice that needs no model.

FAKE_INFER says how it behaves: `die N` kills itself at batch N, `torn N` in the middle of writing it, `memory N` runs out there,
`full N` meets a full disk there, `slow` takes its time.
"""

import importlib.util
import json
import os
import resource
import signal
import sys
import time

spec = importlib.util.spec_from_file_location("worker", sys.argv[1])
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
mood, _, at = os.environ.get("FAKE_INFER", "").partition(" ")


class Voice:
    def __init__(self, settings):
        self.batch = 0
        self.settings = settings

    def read(self, prompt):
        if len(prompt) > 200:
            raise ValueError(f"takes {len(prompt)} tokens; with 9 for the answer that is more than the model's context of 200")
        return prompt.split()

    def write(self, prompts, seeds):
        self.batch += 1
        with open(os.environ["FAKE_CALLS"], "a") as calls:
            calls.write(json.dumps({"request": self.settings, "batch": prompts, "seeds": seeds}) + "\n")
        if mood == "slow":
            time.sleep(0.2)
        if at == str(self.batch):
            if mood == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if mood == "memory":
                sys.exit("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB")
            if mood == "torn":
                worker.append = torn
            if mood == "full":
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                size = os.path.getsize(sys.argv[4])
                resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, size + 20))
        return [{"answer": f"Answer to {' '.join(words)}", "finish": "stop", "tokens": len(words)} for words in prompts]


def torn(file, lines):
    with open(file, "ab") as sink:
        sink.write(lines[: len(lines) // 2 + 3])
    os.kill(os.getpid(), signal.SIGKILL)


worker.load = Voice
worker.main(*sys.argv[2:])
