"""The types in which llama.cpp writes a GGUF file: their names, and its own numbers of them (enum llama_ftype of its llama.h)."""

from __future__ import annotations

TYPES = {
    "F32": 0, "F16": 1, "BF16": 32, "Q8_0": 7,
    "Q6_K": 18, "Q5_K_M": 17, "Q5_K_S": 16, "Q4_K_M": 15, "Q4_K_S": 14, "Q3_K_L": 13, "Q3_K_M": 12, "Q3_K_S": 11, "Q2_K": 10,
    "IQ4_NL": 25, "IQ4_XS": 30, "IQ3_M": 27, "IQ3_S": 26,
    "Q5_1": 9, "Q5_0": 8, "Q4_1": 3, "Q4_0": 2, "Q2_0": 41, "Q1_0": 40,
    "TQ2_0": 37, "TQ1_0": 36, "MXFP4_MOE": 38,
}  # fmt: skip
# llama.cpp refuses these without an importance matrix, a measurement of its own which nothing here makes.
WITH_MATRIX = ("IQ3_XS", "IQ3_XXS", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S", "Q2_K_S")
# How a model's own weights are called: to convert into the same loses nothing.
SAME = {"F32": "f32", "F16": "f16", "BF16": "bf16"}
