"""The whole making, tiny, and what it leaves; where SentencePiece is not installed, what needs no tokenizer of its own is tested elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("sentencepiece")
pytestmark = pytest.mark.real
ODD = ("Hello  there,\n\n\t 你好 🙂 “x” \u00a0 e\u0301\r\n ~~~~ end ", " leading", "\n\n\n", "𝔘𝔫𝔦 — ‰ …", "123 4,567", "")


@pytest.fixture(scope="module")
def made(books: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model after a few steps."""
    import train

    folder = tmp_path_factory.mktemp("made")
    (folder / "model").mkdir()
    train.main(
        f"--books {books} --work {folder / 'work'} --output {folder / 'model'} --tiny --pieces 512 --tokens 1024 --pretrain-steps 4 --steps 4 "
        "--chat-count 120 --copies 1 --processes 1 --every 4".split()
    )
    return folder


def test_it_can_be_loaded_and_its_tokenizers_agree(made: Path) -> None:
    from making.corpus import paragraphs
    from making.tokenizer import disagreements, spm
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = made / "model"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert model.config.vocab_size == len(tokenizer) == spm(folder).get_piece_size() == 512
    assert model.generation_config.eos_token_id[0] == tokenizer.eos_token_id == 4
    assert disagreements(folder, ODD) == []
    assert [tokenizer.decode(tokenizer.encode(text)) for text in ODD] == list(ODD)
    assert [tokenizer.encode(text) for text in ODD] == spm(folder).encode(list(ODD))
    assert disagreements(folder, paragraphs("A line.\n\nAnother, with an é.\n")) == []


def test_the_chat_template_writes_what_was_trained(made: Path) -> None:
    from making.chats.chat import Chat
    from making.chats.encoded import encode
    from making.tokenizer import IM_END_ID, IM_START_ID, spm
    from transformers import AutoTokenizer

    chat = Chat(
        "scene", (("system", "You write.\n\n~~~~\n[1] a.md\n~~~~"), ("user", "Write\n on."), ("assistant", "“So it was.”\n\nAnd ended."))
    )
    ids, learnt = encode(chat, spm(made / "model"))
    tokenizer = AutoTokenizer.from_pretrained(made / "model")
    messages = [{"role": role, "content": text} for role, text in chat.turns]
    assert tokenizer.apply_chat_template(messages, return_dict=False) == ids
    assert ids.count(IM_START_ID) == ids.count(IM_END_ID) == 3
    answer = [token for token, mark in zip(ids, learnt, strict=True) if mark]
    assert tokenizer.decode(answer) == "“So it was.”\n\nAnd ended.<|im_end|>"
    prompt = tokenizer.apply_chat_template(messages[:2], add_generation_prompt=True, return_dict=False)
    assert ids[: len(prompt)] == prompt


def test_done_phases_are_skipped_and_the_size_is_told(made: Path, books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import train

    train.main(f"--books {books} --work {made / 'work'} --output {made / 'model'} --tiny --again finish --phases prose,finish".split())
    said = capsys.readouterr().out
    assert "prose: done before" in said
    assert "bytes in" in said
    with pytest.raises(SystemExit, match="no such phase: sing"):
        train.main(f"--books {books} --work {made / 'work'} --phases sing".split())


def test_rows_begin_with_a_chat_and_are_filled_with_prose(made: Path) -> None:
    from making.batches import Chats, chat_row
    from making.prose import Windows
    from making.tokenizer import BOS_ID, IM_START_ID

    windows = Windows(made / "work" / "prose", 513, 1)
    chat: Any = None
    chats = Chats(made / "work" / "chats", [512, 1024], 1)
    while chat is None or len(chat[0]) > 450:
        chat = chats.take(512)
    ids, targets, weights = chat_row(chat, windows)
    assert ids[0] == IM_START_ID
    assert ids[len(chat[0])] == BOS_ID
    assert len(ids) == len(targets) == len(weights) == 512
    assert (targets[: len(chat[0])] == -100).any()
    assert (targets[len(chat[0]) + 1 :] != -100).all()
    assert json.loads((made / "model" / "tokenizer_config.json").read_text())["add_bos_token"] is False
