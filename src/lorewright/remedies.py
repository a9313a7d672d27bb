"""Known failures of the tools we run: what their log says, and what helps. docs/troubleshooting.md is generated from this."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Remedy:
    """sign: a regular expression for the log. what: the failure in plain words. do: what to do next."""

    sign: str
    what: str
    do: str


GPU_MEMORY = Remedy(
    r"CUDA out of memory|OutOfMemoryError|CUDA error: out of memory|Error out of memory at line|CUBLAS_STATUS_ALLOC_FAILED",
    "the GPU ran out of memory",
    "close what else is on the card; training takes the steps of train.on_out_of_memory by itself: allow more of them there "
    "(sequence_len, rank and attention_only change the result), or choose a smaller base_model; when serving, lower vllm.max_model_len",
)
MACHINE_MEMORY = Remedy(
    r"can't allocate memory|Cannot allocate memory|^MemoryError\b|due to the node running low on memory",
    "the machine's memory ran out",
    "close other programs; training takes the steps of train.on_out_of_memory by itself: allow more of them there, "
    "or choose a smaller base_model",
)
# torch does not say why it could not write; the last two are all that its writer tells.
DISK = Remedy(
    r"No space left on device|Errno 28|os error 28|Disk quota exceeded|PytorchStreamWriter failed writing|basic_ios::clear: iostream error"
    r"|inline_container\.cc:\d+\] \. unexpected pos",
    "the disk is full",
    "free some space and run again; finished stages are kept",
)
REMEDIES = (
    GPU_MEMORY,
    MACHINE_MEMORY,
    DISK,
    Remedy(
        r"Torch not compiled with CUDA|found no NVIDIA driver|No CUDA GPUs are available",
        "the tool wanted a GPU that it cannot see",
        "check nvidia-smi; for a machine without a GPU set LOREWRIGHT_ACCELERATOR=cpu",
    ),
    Remedy(
        r"BPE pre-tokenizer was not recognized",
        "llama.cpp does not know this model's tokenizer: it knows those of type byte-level BPE by their fingerprint, and this one's is new",
        "train on a model whose tokenizer it knows, or that has a SentencePiece tokenizer.model; vLLM serves the merged model as it is",
    ),
    Remedy(
        r"ERROR:hf-to-gguf:Model \S+ is not supported",
        "llama.cpp's converter does not know this architecture",
        "take export: out of the recipe; vLLM serves the merged model as it is",
    ),
    Remedy(
        r"this quantization requires an importance matrix",
        "llama.cpp writes this type only with an importance matrix, which is not made here",
        "choose a larger type for export.gguf",
    ),
    Remedy(
        r"no flash-attn build is available",
        "the recipe asks for FlashAttention, which is not there",
        "./lorewright envs add flash-attn, or set axolotl.attn_implementation to sdpa or flex_attention",
    ),
    Remedy(
        r"CUDA_HOME (?:does not exist|environment variable is not set)|MissingCUDAException",
        "the CUDA toolkit is missing, with which DeepSpeed compiles",
        "install it and set CUDA_HOME to its folder; or share out the model by axolotl.fsdp_config, which needs none",
    ),
    Remedy(
        r"validation errors? for \w*(?:Config|Axolotl)\w*",
        "Axolotl refuses a value of its configuration",
        "the log names the key; correct it under axolotl:",
    ),
    Remedy(
        r"is larger than the available KV cache memory|max seq len .* larger than the maximum number of tokens|No available memory for the cache blocks",  # noqa: E501
        "the context does not fit into the memory left for it",
        "lower vllm.max_model_len or raise vllm.gpu_memory_utilization (on a CPU, VLLM_CPU_KVCACHE_SPACE in GiB)",
    ),
    Remedy(
        r"(?:GatedRepo|gated repo|401 Client Error|RepositoryNotFound|is not a valid model identifier|Cannot access gated)",
        "the model cannot be had from the hub under that name with this token",
        "check base_model, accept the model's licence on its page, and put HF_TOKEN into the environment or .env",
    ),
    Remedy(
        r"LocalEntryNotFound|outgoing traffic has been disabled|Max retries exceeded|Temporary failure in name resolution|OfflineModeIsEnabled",  # noqa: E501
        "the model is not on this machine and the hub cannot be reached",
        "check the network, or point base_model at a folder that holds the model",
    ),
    Remedy(
        r"chat template (?:is )?not set|does not have a chat template|default chat template is no longer allowed|chat_template is null|tokenizer\.chat_template is not set",  # noqa: E501
        "the base model has no chat template",
        "set chat_template in the recipe to a Jinja file, for example configs/templates/chatml.jinja",
    ),
    Remedy(
        r"unrecognized arguments: (.+)",
        "vLLM does not know an argument",
        "check the vllm: section; ./lorewright validate lists what it knows",
    ),
    Remedy(
        r"\bKilled\b|exit code -9|ended by signal 9|died with <Signals\.SIGKILL",
        "the system ended the process, most often because memory ran out",
        "close other programs or choose a smaller model",
    ),
)


def diagnose(log: str) -> Remedy | None:
    """The last known failure that a log shows, or None."""
    found = [(match.start(), remedy) for remedy in REMEDIES for match in re.finditer(remedy.sign, log, re.MULTILINE)]
    return max(found, key=lambda pair: pair[0])[1] if found else None
