"""Changes in place what a GGUF file says of the token for a beginning: python set_add_bos.py CONVERTER FILE 0|1

CONVERTER: the folder with llama.cpp's converter, whose library of GGUF files is used. The file must say something of it already.
"""

from __future__ import annotations

import sys
from pathlib import Path

KEY = "tokenizer.ggml.add_bos_token"


def main(converter: str, file: str, wanted: str) -> None:
    sys.path.insert(0, str(Path(converter) / "gguf-py"))
    from gguf import GGUFReader

    field = GGUFReader(file, "r+").get_field(KEY)
    if field is None:
        sys.exit(f"the file has no {KEY}")
    field.parts[field.data[0]][0] = wanted == "1"


if __name__ == "__main__":
    main(*sys.argv[1:])
