#!/usr/bin/env bash
# Starts the RAG proxy (and vLLM, if it does not run) and leaves both running.
# Usage: ./serve_rag_proxy.sh [RECIPE] [--set KEY=VALUE …]
set -euo pipefail
recipe=${1:-configs/starter.yaml}
shift || true
exec "$(dirname "$0")/lorewright" rag "$recipe" "$@"
