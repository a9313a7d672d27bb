"""The request fields that are forwarded: OpenAI's, and vLLM 0.32's for sampling, templates and output.

A field that is not here is refused by name instead of being dropped: a misspelt `temprature` would else be a silent default.
Left out on purpose are vLLM's fields for servers that hand work to each other (kv_transfer_params and the like).
"""

from __future__ import annotations

# Known to both kinds of completion.
_SHARED = """
model frequency_penalty logit_bias logprobs max_tokens n presence_penalty seed stop stream stream_options temperature top_p user
metadata safety_identifier service_tier store prompt_cache_key prompt_cache_retention
use_beam_search best_of early_stopping top_k min_p repetition_penalty watermarking length_penalty stop_token_ids include_stop_str_in_output
ignore_eos min_tokens skip_special_tokens spaces_between_special_tokens truncate_prompt_tokens truncation_side allowed_token_ids
prompt_logprobs logprob_token_ids bad_words echo add_special_tokens response_format structured_outputs priority request_id session_id
return_tokens_as_token_ids return_token_ids return_token_offsets cache_salt vllm_xargs repetition_detection thinking_token_budget
stream_interval logits_processors detokenize
guided_json guided_regex guided_choice guided_grammar guided_decoding_backend guided_whitespace_pattern
"""
_CHAT = """
messages top_logprobs max_completion_tokens tools tool_choice parallel_tool_calls functions function_call reasoning_effort verbosity
modalities audio prediction web_search_options prompt_cache_options moderation
include_reasoning add_generation_prompt continue_final_message documents chat_template chat_template_kwargs media_io_kwargs
mm_processor_kwargs return_prompt_text
"""

_EMBEDDING = """
input messages model encoding_format dimensions user truncate_prompt_tokens truncation_side request_id priority add_special_tokens
padding use_activation embed_dtype endianness chat_template chat_template_kwargs add_generation_prompt continue_final_message
mm_processor_kwargs media_io_kwargs cache_salt
"""
# vLLM's own that stay outside, so that a test can tell a new field from one left out.
_LEFT_OUT = "kv_transfer_params ec_transfer_params mm_payload return_mm_kwargs routed_experts_prompt_start prompt_embeds"

CHAT_FIELDS = frozenset((_SHARED + _CHAT).split())
COMPLETION_FIELDS = frozenset((_SHARED + "prompt suffix").split())
EMBEDDING_FIELDS = frozenset(_EMBEDDING.split())
LEFT_OUT = frozenset(_LEFT_OUT.split())
