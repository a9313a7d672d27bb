#!/usr/bin/env bash
# Sets everything up and runs the whole line on the bundled prose and lore, on this machine's processor. Run again: what is done is skipped.
set -euo pipefail
cd "$(dirname "$0")"
echo "The base model is the small demonstration model in models/starter: readable prose, and more fancy than sense." >&2
./lorewright envs build core >/dev/null
exec env LOREWRIGHT_ACCELERATOR=cpu ./lorewright run configs/starter.yaml "$@"
