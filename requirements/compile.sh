#!/usr/bin/env bash
# Pins every requirements/*.in with all that it needs into the *.txt beside it. Usage: requirements/compile.sh [NAME…]
# A CPU file leaves out what only CUDA builds need and the three torch companions whose index builds are CUDA only
# (beside a CPU torch they break `import transformers`). The files are whole, so environments install with --no-deps.
# What is added beside the train environment (deepspeed, ray) keeps to its versions and lists only what it lacks.
set -euo pipefail
cd "$(dirname "$0")"
uv=${UV:-uv}
for name in "${@:-core train-cpu train-gpu serve-cpu serve-gpu export charts dev deepspeed ray flash-attn-build export-build}"; do
  for file in $name; do
    "$uv" pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header --no-annotate "$file.in" |
      case $file in
        core | export | *-cpu) grep -vE '^(nvidia-[a-ln-z]|cuda-|torchvision|torchaudio|torchcodec)' | sed -E '/^torch==/c torch==2.13.0' | uniq ;;
        deepspeed | ray) awk -F== 'NR == FNR { has[$1]; next } !($1 in has) && !/>= .3\.14/' train-gpu.txt - | sed 's/ ;.*//' ;;
        *) cat ;;
      esac >"$file.txt"
  done
done
