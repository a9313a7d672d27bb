"""The tokenizer: SentencePiece BPE with byte fallback, and the same as a `tokenizer.json`.

No normalisation and no dummy prefix, so that text comes back as it went in, newlines included (they are bytes). BPE and not
unigram, because llama.cpp reads a Llama's SentencePiece vocabulary by merging pairs in the order of their scores.
"""

# ruff: noqa: S311 - seeded on purpose
from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from making.corpus import Book, paragraphs

UNK, BOS, PAD, IM_START, IM_END = "<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"
SPECIAL = (UNK, BOS, PAD, IM_START, IM_END)
BOS_ID, PAD_ID, IM_START_ID, IM_END_ID = 1, 2, 3, 4
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
REQUIRED = "".join(chr(code) for code in range(33, 127)) + "“”‘’—–…é"


def train(books: list[Book], folder: Path, *, pieces: int, share: float, seed: int, threads: int) -> None:
    """Trains on a seeded share of the paragraphs and writes tokenizer.model, tokenizer.json and the configuration into the folder."""
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed)
    lines = [line for book in books for block in paragraphs(book.text) if draw.random() < share for line in block.splitlines()]
    lines += [REQUIRED, " ".join(REQUIRED)]  # a required character that the books never use stops older versions of the trainer
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=str(folder / "tokenizer"), model_type="bpe", vocab_size=pieces, byte_fallback=True,
        add_dummy_prefix=False, remove_extra_whitespaces=False, normalization_rule_name="identity", split_digits=True,
        unk_id=0, bos_id=1, eos_id=2, pad_id=-1, control_symbols=[IM_START, IM_END], required_chars=REQUIRED,
        character_coverage=0.9999, max_sentence_length=65536, num_threads=threads, minloglevel=2,
    )  # fmt: skip
    (folder / "tokenizer.vocab").unlink()
    save_fast(folder)


def save_fast(folder: Path) -> None:
    """Writes tokenizer.json, its configuration and the chat template beside tokenizer.model."""
    from transformers import PreTrainedTokenizerFast

    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=as_fast(spm(folder)), unk_token=UNK, bos_token=BOS, pad_token=PAD, eos_token=IM_END,
        additional_special_tokens=[IM_START], clean_up_tokenization_spaces=False, model_max_length=4096,
    )  # fmt: skip
    wrapped.chat_template = CHATML
    wrapped.save_pretrained(folder)
    config = folder / "tokenizer_config.json"
    told = json.loads(config.read_text(encoding="utf-8"))
    # The class that every transformers knows by name; and llama.cpp puts a <s> and a space first unless told not to.
    told |= {"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": False, "add_eos_token": False, "add_prefix_space": False}
    config.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    shorten(folder / "tokenizer.json")


def shorten(path: Path) -> None:
    """The same JSON without indentation: it counts against the size of the model."""
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def spm(folder: Path) -> Any:
    """The SentencePiece processor of the folder's tokenizer.model."""
    import sentencepiece

    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))


def as_fast(processor: Any) -> Any:
    """The same BPE in the tokenizers library.

    SentencePiece merges whatever neighbours form the piece of the best score, so every split of a piece into two pieces is a merge, in the
    order of the pieces' scores, which is the order of their ids.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

    size = processor.get_piece_size()
    vocabulary = {processor.id_to_piece(number): number for number in range(size)}
    ordinary = [piece for piece, number in vocabulary.items() if _is_ordinary(processor, number)]
    inner = Tokenizer(models.BPE(vocabulary, merges_of(ordinary), unk_token=UNK, fuse_unk=True, byte_fallback=True))
    inner.normalizer = normalizers.Replace(" ", "▁")
    inner.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    inner.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in SPECIAL])
    return inner


def _is_ordinary(processor: Any, number: int) -> bool:
    return not (processor.is_control(number) or processor.is_unknown(number) or processor.is_byte(number) or processor.is_unused(number))


def merges_of(pieces: Iterable[str]) -> list[tuple[str, str]]:
    """Every way to make a piece of two pieces, best piece first."""
    known = list(pieces)
    members = set(known)
    splits = ((piece[:at], piece[at:]) for piece in known for at in range(1, len(piece)))
    return [(left, right) for left, right in splits if left in members and right in members]


def disagreements(folder: Path, texts: Iterable[str]) -> list[str]:
    """The texts for which tokenizer.json and tokenizer.model differ, or which do not come back whole."""
    from tokenizers import Tokenizer

    fast, slow = Tokenizer.from_file(str(folder / "tokenizer.json")), spm(folder)
    batch = list(texts)
    pairs = zip(batch, fast.encode_batch(batch), slow.encode(batch), strict=True)
    return [text for text, one, other in pairs if one.ids != other or fast.decode(one.ids, skip_special_tokens=False) != text]
