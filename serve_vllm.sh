#!/usr/bin/env bash
# Starts vLLM's OpenAI API on a recipe's model and leaves it running. Usage: (what is left out comes from the recipe)
#   ./serve_vllm.sh [RECIPE|MODEL] [PORT] [MAX_SEQS] [CONTEXT] [GPU_UTIL] [--dry-run] [--set KEY=VALUE …]
# MODEL is a folder or a hub name, served as it is: port 8000, 9 at a time, context 64000, 0.9 of the card. --dry-run starts nothing.
# Variables: CUDA_VISIBLE_DEVICES (which card), HF_TOKEN (gated models), HF_HUB_OFFLINE, VLLM_API_KEY (asked of every caller),
#   VLLM_CPU_KVCACHE_SPACE (GiB, without a card), LOREWRIGHT_ACCELERATOR (cpu or cuda), LOREWRIGHT_RUNS; docs/serving.md tells more.
set -euo pipefail
exec "$(dirname "$0")/lorewright" serve "$@"
