"""Writes a GGUF file in another type, in the export environment: python quantise_gguf.py SOURCE TARGET NUMBER

NUMBER: llama.cpp's own of the type (its enum llama_ftype). What llama.cpp tells goes to standard output as it comes: a line a tensor.
"""

from __future__ import annotations

import ctypes
import os
import sys


def main(source: str, target: str, number: str) -> None:
    import llama_cpp

    def tell(level: int, text: bytes, data: ctypes.c_void_p) -> None:
        sys.stdout.write(text.decode("utf-8", "replace"))
        sys.stdout.flush()

    callback = llama_cpp.llama_log_callback(tell)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    wanted = llama_cpp.llama_model_quantize_default_params()
    wanted.ftype, wanted.nthread = int(number), len(os.sched_getaffinity(0))
    if llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(wanted)):
        sys.exit("llama.cpp could not write this type; the lines above say why")
    with open(target, "rb") as written:
        os.fsync(written.fileno())


if __name__ == "__main__":
    main(*sys.argv[1:])
