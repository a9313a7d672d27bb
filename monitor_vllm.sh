#!/usr/bin/env bash
# Watches vLLM: requests, tokens, cache. Usage: ./monitor_vllm.sh [--port PORT] [--once] [--json]
set -euo pipefail
exec "$(dirname "$0")/lorewright" monitor serve "$@"
