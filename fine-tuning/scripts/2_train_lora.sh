#!/usr/bin/env bash
# Trains the adapter. Usage: fine-tuning/scripts/2_train_lora.sh RECIPE [--set KEY=VALUE …]
set -euo pipefail
exec "$(dirname "$0")/../../lorewright" train "$@"
