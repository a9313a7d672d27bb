#!/usr/bin/env bash
# Starts the RAG proxy (and vLLM, if it does not run) and leaves both running.
# Usage: ./serve_rag_proxy.sh [RECIPE] [--set KEY=VALUE …]      without a recipe: configs/starter.yaml
set -euo pipefail
exec "$(dirname "$0")/lorewright" rag "$@"
