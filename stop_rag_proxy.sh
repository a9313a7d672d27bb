#!/usr/bin/env bash
# Stops the RAG proxy. Usage: ./stop_rag_proxy.sh [--port PORT]
set -euo pipefail
exec "$(dirname "$0")/lorewright" stop rag "$@"
