"""Why vLLM did not start, and what helps: signs in its log, in the words of vLLM 0.32 and of the libraries below it.

`{name}` in a text is a group of the sign that was found. docs/troubleshooting.md is made from this list too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from lorewright.remedies import Remedy, diagnose


@dataclass(frozen=True)
class Cause:
    """sign: a regular expression for the log. what: the cause. do: what helps. also: further values, computed from the groups."""

    sign: str
    what: str
    do: str
    also: Callable[[dict[str, str]], dict[str, str]] = lambda found: {}


def _share(found: dict[str, str]) -> dict[str, str]:
    """The share of the card that is free, rounded down, two hundredths left for others."""
    share = math.floor(100 * float(found["free"]) / float(found["total"])) / 100 - 0.02
    return {"share": f"{max(share, 0.05):.2f}"}


# The first that fits is the cause: what stands further down is often only its consequence.
CAUSES = (
    Cause(
        r"model's max seq len \((?P<asked>\d+)\)[\s\S]{0,400}?estimated maximum model length is (?P<fits>\d+)",
        "the cache for a context of {asked} tokens does not fit into the memory that is left; {fits} tokens would",
        "--set vllm.max_model_len={fits}, or give vLLM more (vllm.gpu_memory_utilization; on a CPU VLLM_CPU_KVCACHE_SPACE in GiB), "
        "or halve the cache on a GPU: --set vllm.kv_cache_dtype=fp8",
    ),
    Cause(
        r"model's max seq len \((?P<asked>\d+)\), \((?P<wanted>[\d.]+) GiB KV cache is needed",
        "the cache for a context of {asked} tokens wants {wanted} GiB, and hardly any memory is left for it",
        "--set vllm.max_model_len=2048, a higher vllm.gpu_memory_utilization, or a smaller or quantised model (vllm.quantization=fp8)",
    ),
    Cause(
        r"No available memory for the cache blocks",
        "the model fills the memory that vLLM may use; nothing is left for the context's cache",
        "raise vllm.gpu_memory_utilization (at most 0.95), or load the weights in 8 bits: --set vllm.quantization=fp8, "
        "or choose a smaller model",
    ),
    Cause(
        r"Free memory on device \S*\s*\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup is less than .{0,60}?"
        r"\((?P<now>[\d.]+), (?P<wanted>[\d.]+) GiB\)",
        "the card has {free} of {total} GiB free, and vLLM is told to take {wanted} GiB",
        "nvidia-smi names who holds the rest; end that, or take less: --set vllm.gpu_memory_utilization={share}",
        _share,
    ),
    Cause(
        r"Available memory on node \d+ \((?P<free>[\d.]+)/[\d.]+ GiB\) on kv cache allocation is less than requested memory for kv "
        r"\((?P<wanted>[\d.]+)",
        "the cache is to take {wanted} GiB of memory, and {free} GiB are free",
        "set VLLM_CPU_KVCACHE_SPACE to fewer GiB (1 holds 4096 tokens of most models), or close other programs",
    ),
    Cause(
        r"User-specified max_model_len \((?P<asked>\d+)\) is greater than the derived max_model_len \(\w+=(?P<fits>\d+)",
        "the model's own context is {fits} tokens, and {asked} are asked for",
        "--set vllm.max_model_len={fits}",
    ),
    Cause(
        r"Address already in use|\[Errno 98\]",
        "the port was taken by another program in the meantime",
        "./lorewright doctor names it; stop it, or choose another port with --set serve.port=8010",
    ),
    Cause(
        r"The supplied chat template \((?P<file>[^)]*)\) looks like a file path, but it failed to be opened",
        "the chat template {file} is not there",
        "set chat_template to a Jinja file that is, for example configs/templates/chatml.jinja",
    ),
    Cause(
        r"(?:TemplateSyntaxError|TemplateAssertionError|UndefinedError|TemplateError): (?P<said>[^\n]{1,200})",
        "the chat template cannot be used: {said}",
        "mend the file that chat_template names, or take it out to use the model's own",
    ),
    Cause(
        r"Cannot find any model weights with `(?P<model>[^`]+)`",
        "there are no weights in {model}",
        "the folder must hold model.safetensors or its parts; make it anew: ./lorewright run RECIPE --from merge",
    ),
    Cause(
        r"SafetensorError: (?P<said>[^\n]{1,160})|(?P<other>Error while deserializing header[^\n]{0,120})",
        "a file of weights is broken or cut off",
        "fetch or make it anew (./lorewright run RECIPE --from merge --force); a copy that was broken off leaves such files",
    ),
    Cause(
        r"Invalid repository ID or local directory specified:\s*'(?P<model>[^']+)'",
        "{model} is no model: there is no config.json",
        "check base_model; a folder must hold config.json, tokenizer and weights",
    ),
    Cause(
        r"Can't load tokenizer for|Couldn't instantiate the backend tokenizer|Unable to load vocabulary",
        "the model's folder has no tokenizer that can be read",
        "put tokenizer.json and tokenizer_config.json of the base model beside the weights",
    ),
    Cause(
        r"Model architectures (?P<names>\[[^\]]*\]) are not supported for now",
        "this version of vLLM does not know the architecture {names}",
        "choose a model that it knows; vllm: {{model_impl: transformers}} serves many others, more slowly",
    ),
    Cause(
        r"has model type `(?P<kind>[^`]+)` but Transformers does not recognize this architecture",
        "the installed libraries do not know the model type {kind}",
        "choose another model, or check config.json; the model may be newer than this version",
    ),
    Cause(
        r"contains custom code which must be executed",
        "the model brings program code of its own, which is not run unasked",
        "read that code, then --set vllm.trust_remote_code=true",
    ),
    Cause(
        r"Failed to infer device type|found no NVIDIA driver|libcuda\.so\.1: cannot open|No CUDA GPUs are available",
        "vLLM sees no GPU: no NVIDIA driver answers",
        "check nvidia-smi (in a container: --gpus all; on WSL: the Windows driver), or use the processor: LOREWRIGHT_ACCELERATOR=cpu",
    ),
    Cause(
        r"Bfloat16 is only supported on GPUs",
        "the card is too old for bfloat16",
        "--set vllm.dtype=half",
    ),
    Cause(
        r"LoRA rank (?P<rank>\d+) is greater than max_lora_rank (?P<room>\d+)",
        "an adapter of rank {rank} does not fit into the room for rank {room}",
        "--set vllm.max_lora_rank={rank}, or the next of 1, 8, 16, 32, 64, 128, 256, 320, 512",
    ),
    Cause(
        r"Loading lora (?P<name>\S+) failed: No adapter found for (?P<folder>\S+)",
        "there is no adapter {name} in {folder}",
        "check serve.adapters: the folder must hold adapter_config.json and adapter_model.safetensors",
    ),
    Cause(
        r"CUDA out of memory\. Tried to allocate (?P<wanted>[\d.]+ [KMG]iB)",
        "the GPU ran out of memory when {wanted} more were wanted",
        "leave vLLM less (--set vllm.gpu_memory_utilization=0.85), fewer at a time (vllm.max_num_seqs), or stop what else is on the card",
    ),
    Cause(
        r"GatedRepo|gated repo|Cannot access gated|401 Client Error",
        "the model is gated, and no token of an account that may have it was given",
        "accept the licence on the model's page and put HF_TOKEN into the environment or .env",
    ),
    Cause(
        r"Failed core proc\(s\): \{[^}]*-9|died unexpectedly \(exit code: -9\)|ended by signal 9",
        "the system killed vLLM, most often because memory ran out",
        "close other programs, choose a smaller model, or give WSL or the container more memory; on a CPU lower VLLM_CPU_KVCACHE_SPACE",
    ),
)


def explain(log: str) -> Remedy | None:
    """The cause of a failed start, its texts filled from the log; else what is known of failures in general; else None."""
    for cause in CAUSES:
        match = re.search(cause.sign, log)
        if match:
            found = {name: value or "" for name, value in match.groupdict().items()}
            values = found | cause.also(found)
            return Remedy(cause.sign, cause.what.format(**values), cause.do.format(**values))
    return diagnose(log)


def listed() -> list[tuple[str, str]]:
    """(what happened, what helps) for the page; values stand as N, names as …"""

    def shown(text: str) -> str:
        numbers = re.sub(r"\{(?:asked|fits|wanted|free|total|share|rank|room)\}", "N", text)
        return re.sub(r"\{\w+\}", "…", numbers.replace("{{", "{").replace("}}", "}"))

    return [(shown(cause.what), shown(cause.do)) for cause in CAUSES]
