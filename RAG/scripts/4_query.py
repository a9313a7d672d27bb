#!/usr/bin/env python3
"""Asks one question through the RAG proxy. The same as ./lorewright query RECIPE."""

import os
import sys
from pathlib import Path

LAUNCHER = Path(__file__).resolve().parents[2] / "lorewright"
os.execv(LAUNCHER, [str(LAUNCHER), "query", *sys.argv[1:]])
