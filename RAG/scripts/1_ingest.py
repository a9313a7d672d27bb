#!/usr/bin/env python3
"""Indexes the lore. The same as ./lorewright ingest RECIPE."""

import os
import sys
from pathlib import Path

LAUNCHER = Path(__file__).resolve().parents[2] / "lorewright"
os.execv(LAUNCHER, [str(LAUNCHER), "ingest", *sys.argv[1:]])
