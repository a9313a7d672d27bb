"""Answers of a model, and of the adapter on it, to prompts: python infer.py REQUEST.json PROMPTS.jsonl ANSWERS.jsonl

Runs in the train environment. REQUEST: base_model, revision, adapter (a folder or ""), template (Jinja text or null), form (chat,
pairs, text), system, template_settings, sampling, max_tokens, four_bit, trust_remote_code, batch. A line of PROMPTS: name, prompt,
seed, kept (what its answer's line begins with). A line of ANSWERS: kept and answer, thinking where there is one, finish (stop,
length), tokens (written, the closing sign included), seconds (of its whole batch). A batch is written at once, when it is done.
Lines `infer: {…}` on standard output say how far it is: note, or left_out and why, or done, of, tokens and seconds of writing.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

WARPED = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
# gpt-oss writes in channels: thoughts in `analysis`, the answer in `final`.
CHANNEL = re.compile(r"<\|channel\|>(\w+)[^<]*<\|message\|>(.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)", re.DOTALL)
OPEN, CLOSE = "<think>", "</think>"


def main(request: str, prompts: str, answers: str) -> None:
    settings = json.loads(Path(request).read_text(encoding="utf-8"))
    wanted = [json.loads(line) for line in Path(prompts).read_text(encoding="utf-8").split("\n") if line]
    voice = load(settings)
    done = tokens = 0
    writing = 0.0
    for batch in batches(wanted, settings["batch"], voice.read):
        begun = time.monotonic()
        written = voice.write([ids for _, ids in batch], [prompt["seed"] for prompt, _ in batch])
        seconds = time.monotonic() - begun
        lines = [prompt["kept"] | answer | {"seconds": round(seconds, 3)} for (prompt, _), answer in zip(batch, written, strict=True)]
        append(Path(answers), "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode())
        done, tokens, writing = done + len(batch), tokens + sum(line["tokens"] for line in lines), writing + seconds
        say(done=done, of=len(wanted), tokens=tokens, seconds=round(writing, 3))


def say(**facts: Any) -> None:
    print(f"infer: {json.dumps(facts)}", flush=True)


def batches(wanted: list[Any], size: int, read: Callable[[str], Any]) -> Iterator[list[tuple[Any, Any]]]:
    """Prompts with their tokens, so many at a time; one that cannot be read is told and left out."""
    batch: list[tuple[Any, Any]] = []
    for prompt in wanted:
        try:
            batch.append((prompt, read(prompt["prompt"])))
        except ValueError as problem:
            say(left_out=prompt["name"], why=str(problem))
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def append(file: Path, lines: bytes) -> None:
    """All of it and on disk, or nothing of it. Raises OSError when the disk refuses."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    size = os.fstat(handle).st_size
    try:
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, size)
        raise
    finally:
        os.close(handle)


class Voice:
    """A loaded model with its tokenizer. context: the most tokens of prompt and answer together; 0 where the model does not say."""

    def __init__(self, model: Any, tokenizer: Any, template: str | None, settings: dict[str, Any]) -> None:
        self.model, self.tokenizer, self.template, self.settings = model, tokenizer, template, settings
        self.context = int(getattr(model.config.get_text_config(), "max_position_embeddings", 0) or 0)
        own = model.generation_config
        self.sampling = {name: getattr(own, name, None) for name in WARPED} | settings["sampling"]
        if self.sampling["temperature"] is None:
            self.sampling["temperature"] = 1.0 if own.do_sample else 0.0
        ends = own.eos_token_id if isinstance(own.eos_token_id, list) else [own.eos_token_id]
        self.ends = sorted({end for end in (*ends, tokenizer.eos_token_id) if end is not None})
        self.pad = next(i for i in (tokenizer.pad_token_id, *self.ends, 0) if i is not None)

    def read(self, prompt: str) -> list[int]:
        """A prompt's tokens as in training. Raises ValueError when there is no room for the answer, or the template refuses it."""
        ids = self._ids(prompt)
        most = self.settings["max_tokens"]
        if self.context and len(ids) + most > self.context:
            room = f"with {most} for the answer that is more than the model's context of {self.context}"
            raise ValueError(f"takes {len(ids)} tokens; {room}")
        return ids

    def _ids(self, prompt: str) -> list[int]:
        from jinja2 import TemplateError

        form, system = self.settings["form"], self.settings["system"]
        if form == "text" or (form == "chat" and not self.template):
            return list(self.tokenizer(prompt)["input_ids"])
        if not self.template:
            text = "".join(f"{part}\n\n" for part in (system, prompt) if part)
            return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        turns = [{"role": role, "content": said} for role, said in (("system", system), ("user", prompt)) if said]
        try:
            text = self.tokenizer.apply_chat_template(
                turns, chat_template=self.template, tokenize=False, add_generation_prompt=True, **self.settings["template_settings"]
            )
        except TemplateError as problem:
            raise ValueError(f"the chat template refuses it: {problem}") from None
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def write(self, prompts: list[list[int]], seeds: list[int]) -> list[dict[str, Any]]:
        """An answer to each prompt: the same whatever stands beside it in the batch, as far as the device's arithmetic is."""
        import torch

        longest = max(map(len, prompts))
        pads = [longest - len(ids) for ids in prompts]
        device = self.model.device
        ids = torch.tensor([[self.pad] * pad + ids for pad, ids in zip(pads, prompts, strict=True)], device=device)
        mask = torch.tensor([[0] * pad + [1] * (longest - pad) for pad in pads], device=device)
        with torch.inference_mode():
            made = self.model.generate(
                input_ids=ids, attention_mask=mask, logits_processor=choosing(self.sampling, pads, seeds, device),
                max_new_tokens=self.settings["max_tokens"], do_sample=False, eos_token_id=self.ends or None, pad_token_id=self.pad,
            )  # fmt: skip
        return [self._answer(prompt, row) for prompt, row in zip(prompts, made[:, longest:].tolist(), strict=True)]

    def _answer(self, prompt: list[int], row: list[int]) -> dict[str, Any]:
        end = next((at for at, token in enumerate(row) if token in self.ends), None)
        ids = row if end is None else row[:end]
        raw = self.tokenizer.decode(ids, skip_special_tokens=False)
        text = self.tokenizer.decode(ids, skip_special_tokens=True)
        opened = self.tokenizer.decode(prompt[-8:]).rstrip().endswith(OPEN)
        thinking, answer = parted(raw, OPEN + text if opened else text)
        found = {"answer": answer} | ({"thinking": thinking} if thinking else {})
        return found | {"finish": "length" if end is None else "stop", "tokens": len(ids) + (end is not None)}


def parted(raw: str, text: str) -> tuple[str, str]:
    """(thought, answer) of what a model wrote. raw: with its special tokens, text: without them."""
    channels = CHANNEL.findall(raw)
    if channels:
        joined = {name: "\n".join(said for channel, said in channels if channel == name).strip() for name in ("analysis", "final")}
        return joined["analysis"], joined["final"]
    if CLOSE in text:
        thought, _, answer = text.partition(CLOSE)
        return thought.replace(OPEN, "", 1).strip(), answer.strip()
    if text.lstrip().startswith(OPEN):  # cut off before it had thought to the end
        return text.replace(OPEN, "", 1).strip(), ""
    return "", text


def choosing(sampling: dict[str, Any], pads: list[int], seeds: list[int], device: Any) -> list[Any]:
    """What is done to the scores before the highest is taken."""
    from transformers import LogitsProcessorList, MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    penalty, temperature = sampling["repetition_penalty"] or 1.0, sampling["temperature"]
    chain: list[Any] = [Repeated(penalty, pads)] if penalty != 1.0 else []
    if temperature > 0:
        chain += [TemperatureLogitsWarper(float(temperature))] if temperature != 1.0 else []
        chain += [TopKLogitsWarper(int(sampling["top_k"]))] if (sampling["top_k"] or 0) > 0 else []
        chain += [TopPLogitsWarper(float(sampling["top_p"]))] if 0 < (sampling["top_p"] or 1.0) < 1 else []
        chain += [MinPLogitsWarper(float(sampling["min_p"]))] if (sampling["min_p"] or 0) > 0 else []
        chain.append(Drawn(seeds, device))
    found: list[Any] = LogitsProcessorList(chain)
    return found


class Repeated:
    """The repetition penalty, over a prompt's own tokens: transformers' would also count what pads it."""

    def __init__(self, penalty: float, pads: list[int]) -> None:
        self.penalty, self.pads = penalty, pads

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        for row, pad in enumerate(self.pads):
            seen = input_ids[row, pad:].unique()
            was = scores[row, seen]
            scores[row, seen] = was.where(was < 0, was / self.penalty).where(was >= 0, was * self.penalty)
        return scores


class Drawn:
    """Noise that makes the highest score a draw from the scores' distribution (Gumbel's trick), with a generator for each row.

    So an answer hangs on its own seed alone, not on the batch that it is in.
    """

    def __init__(self, seeds: list[int], device: Any) -> None:
        import torch

        self.generators = [torch.Generator(device=device).manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        # 53 bits, or the tail of a large vocabulary would be cut off
        size, how = scores.shape[1], {"dtype": torch.float64, "device": scores.device}
        drawn = torch.stack([torch.rand(size, generator=one, **how) for one in self.generators]).clamp(min=1e-300)
        return scores.double() - (-drawn.log()).log()


def load(settings: dict[str, Any]) -> Voice:
    """The base model, quantised if asked for, with the adapter on it, on the GPU where there is one."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    name, adapter = settings["base_model"], settings["adapter"]
    on_gpu = torch.cuda.is_available()
    kind = torch.float32 if not on_gpu else torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    shared = {"trust_remote_code": settings["trust_remote_code"]} | ({"revision": settings["revision"]} if settings["revision"] else {})
    with_adapter = bool(adapter) and (Path(adapter) / "tokenizer_config.json").exists()
    tokenizer = AutoTokenizer.from_pretrained(adapter) if with_adapter else AutoTokenizer.from_pretrained(name, **shared)
    _as_stored(name, adapter, shared)
    model = AutoModelForCausalLM.from_pretrained(
        name, dtype=kind, device_map={"": 0 if on_gpu else "cpu"}, **_quantised(settings, name, kind, shared), **shared
    )
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:  # training has added tokens
        model.resize_token_embeddings(len(tokenizer))
    if adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter).get_base_model()  # with the adapter's layers in it
    template = (tokenizer.chat_template if with_adapter else None) or settings["template"] or tokenizer.chat_template
    if not template and settings["form"] == "chat":
        say(note="the model has no chat template: each prompt is gone on with as it is, without the system prompt")
    voice = Voice(model.eval(), tokenizer, template, settings)
    model.generation_config = GenerationConfig()  # the voice has taken it over; else it would be applied twice
    return voice


def _as_stored(name: str, adapter: str, shared: dict[str, Any]) -> None:
    """Experts in NF4, and adapters on such: what transformers and PEFT alone do not load. Both stand beside this file or in Axolotl."""
    from transformers import AutoConfig

    stored = getattr(AutoConfig.from_pretrained(name, **shared), "quantization_config", None) or {}
    if stored.get("quant_method") != "bitsandbytes":
        return
    from axolotl.monkeypatch.moe_quant import patch_peft_target_parameters_matching

    import_module("loaded_as_stored").install()
    if adapter:
        patch_peft_target_parameters_matching()


def _quantised(settings: dict[str, Any], name: str, kind: Any, shared: dict[str, Any]) -> dict[str, Any]:
    from transformers import AutoConfig, BitsAndBytesConfig

    if not settings["four_bit"]:
        return {}
    if getattr(AutoConfig.from_pretrained(name, **shared), "quantization_config", None):
        say(note="the model is quantised already: it is taken as it is")
        return {}
    how = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": kind}  # as Axolotl loads it
    return {"quantization_config": BitsAndBytesConfig(load_in_4bit=True, **how)}


if __name__ == "__main__":
    main(*sys.argv[1:4])
