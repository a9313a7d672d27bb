#!/usr/bin/env python3
"""Manuscripts to a training set. The same as ./lorewright prepare RECIPE."""

import os
import sys
from pathlib import Path

LAUNCHER = Path(__file__).resolve().parents[2] / "lorewright"
os.execv(LAUNCHER, [str(LAUNCHER), "prepare", *sys.argv[1:]])
