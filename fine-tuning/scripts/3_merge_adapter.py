#!/usr/bin/env python3
"""Merges the trained adapter into the base model. The same as ./lorewright merge RECIPE."""

import os
import sys
from pathlib import Path

LAUNCHER = Path(__file__).resolve().parents[2] / "lorewright"
os.execv(LAUNCHER, [str(LAUNCHER), "merge", *sys.argv[1:]])
