#!/usr/bin/env bash
# Stops vLLM and everything it started. Usage: ./stop_vllm.sh [--port PORT]
set -euo pipefail
exec "$(dirname "$0")/lorewright" stop serve "$@"
