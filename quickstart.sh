#!/usr/bin/env bash
# Sets everything up and runs the whole line on the bundled prose and lore, on this machine's processor. Run again: what is done is skipped.
set -euo pipefail
cd "$(dirname "$0")"
echo "The base model of this quickstart has random weights: it shows every stage at work, and writes nonsense." >&2
core=$(./lorewright envs build core)
"$core/bin/python" models/make_tiny.py >/dev/null
exec env LOREWRIGHT_ACCELERATOR=cpu ./lorewright run configs/starter.yaml "$@"
