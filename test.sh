#!/usr/bin/env bash
# Sets up and runs the tests. Usage: ./test.sh [--fast | --long] [pytest arguments]
#   --fast  units only, no heavy environment     --long  also soak, chaos and slow builds
set -euo pipefail
cd "$(dirname "$0")"
chosen='not long'
case ${1:-} in --fast) chosen='not real and not long'; shift ;; --long) chosen=''; shift ;; esac
dev=$(./lorewright envs build dev)/bin
export PYTHONPATH=$PWD/src
"$dev/ruff" check .
"$dev/ruff" format --check -q .
"$dev/mypy"
"$dev/lint-imports" --no-cache >/dev/null || { "$dev/lint-imports" --no-cache; exit 1; }
"$dev/python" models/make_tiny.py >/dev/null
exec "$dev/python" -m pytest -m "$chosen" "$@"
