"""Every known cause, from a log as vLLM writes it. The excerpts are made after the messages in the sources of vLLM 0.32 and its libraries."""

from __future__ import annotations

import pytest

from lorewright.serving.diagnosis import CAUSES, explain, listed

ENGINE = "(EngineCore pid=71) ERROR 11-21 12:06:09 [core.py:1201] "
API = "(APIServer pid=60) "
END = f"{API}RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {{'EngineCore': 1}}\n"
# name -> (what stands in the log, part of the cause, part of the remedy)
LOGS = {
    "context": (
        f"{ENGINE}ValueError: To serve at least one request with the model's max seq len (64000), (7.81 GiB KV cache is needed, which is larger than the available KV cache memory (3.20 GiB). Based on the available memory, the estimated maximum model length is 26208. Try increasing `gpu_memory_utilization` (which also controls CPU memory on the CPU backend) or decreasing `max_model_len` when initializing the engine.",
        "a context of 64000 tokens does not fit into the memory that is left; 26208 tokens would", "--set vllm.max_model_len=26208",
    ),
    "no estimate": (
        f"{ENGINE}ValueError: To serve at least one request with the model's max seq len (64000), (7.81 GiB KV cache is needed, which is larger than the available KV cache memory (0.01 GiB). Try increasing `gpu_memory_utilization`",
        "wants 7.81 GiB", "vllm.max_model_len=2048",
    ),
    "no cache": (f"{ENGINE}ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`", "nothing is left", "quantization=fp8"),
    "card in use": (
        f"{ENGINE}ValueError: Free memory on device cuda:0 (9.50/23.64 GiB) on startup is less than desired GPU memory utilization (0.9, 21.28 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.",
        "the card has 9.50 of 23.64 GiB free, and vLLM is told to take 21.28 GiB", "--set vllm.gpu_memory_utilization=0.38",
    ),
    "cpu memory": (
        "(Worker pid=9) ERROR [multiproc_executor.py:791] ValueError: Available memory on node 0 (10.20/10.71 GiB) on kv cache allocation is less than requested memory for kv (40.00 GiB). Decrease --kv-cache-memory-bytes, VLLM_CPU_KVCACHE_SPACE, or reduce CPU memory used by other processes.",
        "the cache is to take 40.00 GiB of memory, and 10.20 GiB are free", "VLLM_CPU_KVCACHE_SPACE",
    ),
    "too long": (
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n  Value error, User-specified max_model_len (99999) is greater than the derived max_model_len (max_position_embeddings=8192.0 or model_max_length=None in model's config.json). To allow overriding this maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1.",
        "the model's own context is 8192 tokens, and 99999 are asked for", "--set vllm.max_model_len=8192",
    ),
    "port": (f"{API}OSError: [Errno 98] Address already in use", "the port was taken", "serve.port=8010"),
    "template missing": (
        f"{API}vllm.exceptions.VLLMValidationError: The supplied chat template (/x/chat.jinja) looks like a file path, but it failed to be opened. Tried: /x/chat.jinja and /y. Reason: [Errno 2] No such file or directory: '/x/chat.jinja'",
        "the chat template /x/chat.jinja is not there", "configs/templates/chatml.jinja",
    ),
    "template broken": (f"{API}jinja2.exceptions.TemplateSyntaxError: unexpected '}}'", "the chat template cannot be used: unexpected '}'", "mend the file"),
    "no weights": (f"{ENGINE}RuntimeError: Cannot find any model weights with `/models/x`", "there are no weights in /models/x", "model.safetensors"),
    "cut weights": (f"{ENGINE}safetensors_rust.SafetensorError: Error while deserializing: incomplete metadata, file not fully covered", "a file of weights is broken", "make it anew"),
    "no model": (
        f"{API}ValueError: Invalid repository ID or local directory specified: '/models/none'.\nPlease verify the following requirements:\n1. Provide a valid Hugging Face repository ID.",
        "/models/none is no model: there is no config.json", "config.json",
    ),
    "no tokenizer": (f"{API}OSError: Can't load tokenizer for '/models/x'. If you were trying to load it from ...", "no tokenizer", "tokenizer.json"),
    "architecture": (f"{API}ValueError: Model architectures ['ZebraForCausalLM'] are not supported for now. Supported architectures: dict_keys(['A'])", "does not know the architecture ['ZebraForCausalLM']", "{model_impl: transformers}"),
    "model type": (f"{API}ValueError: The checkpoint you are trying to load has model type `zebra` but Transformers does not recognize this architecture.", "the model type zebra", "config.json"),
    "custom code": ("ValueError: The repository /x contains custom code which must be executed to correctly load the model.", "program code of its own", "trust_remote_code=true"),
    "no driver": ("RuntimeError: Failed to infer device type, please set the environment variable `VLLM_LOGGING_LEVEL=DEBUG`", "no NVIDIA driver answers", "LOREWRIGHT_ACCELERATOR=cpu"),
    "old card": ("ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your Tesla T4 GPU has compute capability 7.5.", "too old for bfloat16", "vllm.dtype=half"),
    "rank": ("ValueError: LoRA rank 64 is greater than max_lora_rank 16.", "rank 64 does not fit", "vllm.max_lora_rank=64"),
    "no adapter": ("vllm.exceptions.LoRAAdapterNotFoundError: Loading lora style failed: No adapter found for /adapters/style", "there is no adapter style in /adapters/style", "serve.adapters"),
    "card full": ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.64 GiB", "when 2.00 GiB more", "gpu_memory_utilization=0.85"),
    "gated": ("huggingface_hub.errors.GatedRepoError: 401 Client Error.\nCannot access gated repo for url", "no token", "HF_TOKEN"),
    "killed": (END.replace("'EngineCore': 1", "'EngineCore_DP0': -9"), "the system killed vLLM", "close other programs"),
}  # fmt: skip


@pytest.mark.req("F6")
@pytest.mark.parametrize("name", LOGS)
def test_a_known_cause_is_told_with_its_remedy(name: str) -> None:
    log, what, do = LOGS[name]
    found = explain(f"INFO 11-21 [model.py:733] Resolved architecture: LlamaForCausalLM\n{log}\n{'' if name == 'killed' else END}")
    assert found and what in found.what, found
    assert do in found.do
    assert "{" not in found.what


def test_every_cause_has_its_log() -> None:
    signs = {found.sign for log, _, _ in LOGS.values() if (found := explain(log))}
    assert [cause.sign for cause in CAUSES if cause.sign not in signs] == []


def test_a_process_killed_without_a_word_is_told_by_its_ending() -> None:
    found = explain("INFO loading\nserve ended while starting (ended by signal 9)")
    assert found and "the system killed vLLM" in found.what


def test_what_is_harmless_is_no_cause() -> None:
    log = "WARNING Found ulimit of 1024 and failed to automatically increase with error. This can cause errors like `OSError: [Errno 24] Too many open files`\nWARNING default sampling parameters have been overridden"
    assert explain(log) is None
    assert explain(END) is None


def test_the_page_shows_no_places_to_fill() -> None:
    assert len(listed()) == len(CAUSES)
    assert [row for row in listed() if "{" in row[0] or "{{" in row[1]] == []
