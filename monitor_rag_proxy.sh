#!/usr/bin/env bash
# Watches the RAG proxy: counters and the last queries. Usage: ./monitor_rag_proxy.sh [--port PORT] [--once] [--json]
set -euo pipefail
exec "$(dirname "$0")/lorewright" monitor rag "$@"
