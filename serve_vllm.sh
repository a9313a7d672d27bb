#!/usr/bin/env bash
# Starts vLLM's OpenAI API on a recipe's model and leaves it running.
# Usage: ./serve_vllm.sh [RECIPE] [PORT] [MAX_SEQS] [CONTEXT] [GPU_UTIL]      what is left out comes from the recipe
set -euo pipefail
set -- "${1:-configs/starter.yaml}" ${2:+--set "serve.port=$2"} ${3:+--set "vllm.max_num_seqs=$3"} \
  ${4:+--set "vllm.max_model_len=$4"} ${5:+--set "vllm.gpu_memory_utilization=$5"}
exec "$(dirname "$0")/lorewright" serve "$@"
