#!/usr/bin/env python3
"""Asks a suite of questions of the lore. The same as ./lorewright bench retrieval RECIPE."""

import os
import sys
from pathlib import Path

LAUNCHER = Path(__file__).resolve().parents[2] / "lorewright"
os.execv(LAUNCHER, [str(LAUNCHER), "bench", "retrieval", *sys.argv[1:]])
