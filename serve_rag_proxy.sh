#!/usr/bin/env bash
# Starts the RAG proxy (and vLLM, if it does not run) and leaves both running.
# Usage: ./serve_rag_proxy.sh [RECIPE] [--set KEY=VALUE …]
set -euo pipefail
case ${1:-} in '' | -*) set -- configs/starter.yaml "$@" ;; esac
exec "$(dirname "$0")/lorewright" rag "$@"
