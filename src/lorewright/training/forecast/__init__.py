"""Will it fit, and how long will it take? Answered from a recipe and the base model's config.json, without weights and without a GPU.

found ─ shape ┐
recipe ─ settings ┴ layer ─ memory, speed ┐
gpus ─ lengths ─ calibration ──────────── predict ─ advice ─ said
"""
