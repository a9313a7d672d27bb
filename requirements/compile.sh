#!/usr/bin/env bash
# Pins every requirements/*.in with all that it needs into the *.txt beside it. Usage: requirements/compile.sh [NAME…]
# A CPU file leaves out what only CUDA builds need and the three torch companions whose index builds are CUDA only
# (beside a CPU torch they break `import transformers`). The files are whole, so environments install with --no-deps.
set -euo pipefail
cd "$(dirname "$0")"
uv=${UV:-uv}
for name in "${@:-core train-cpu train-gpu serve-cpu serve-gpu export charts dev}"; do
  for file in $name; do
    "$uv" pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header --no-annotate "$file.in" |
      case $file in
        core | *-cpu) grep -vE '^(nvidia-[a-ln-z]|cuda-|torchvision|torchaudio|torchcodec)' | sed -E '/^torch==/c torch==2.13.0' | uniq ;;
        *) cat ;;
      esac >"$file.txt"
  done
done
