"""How far the nearest passage may be: farther for a question that is like the lore as a whole, nearer for one that is like everyday ones.

Paraphrases of the lore and questions about anything else are equally far from their nearest passage at times. They differ in where
they stand: the first are near all of the lore a little, the second near what people ask of any assistant.
"""

from __future__ import annotations

import numpy as np

from lorewright.rag.embed import Vectors

NEAREST = 3  # everyday questions that count
# Chosen by the first half of benchmarks/suites/retrieval.yaml and by benchmarks/suites/retrieval_tuning.yaml, for all-MiniLM-L6-v2.
EVERYDAY_WEIGHT = 0.5
USUAL = 0.05


def allowance(question: Vectors, centre: Vectors, everyday: Vectors) -> float:
    """Cosine distance to be added to rag.max_distance, below 0 too; 0 where no everyday questions are known.

    question: (dimension,), of length 1. centre: (dimension,), the mean of the lore's vectors. everyday: (n, dimension), rows of length 1.
    """
    if not len(everyday):
        return 0.0
    alike = np.sort(everyday @ question)[-NEAREST:].mean()
    return float(centre @ question - EVERYDAY_WEIGHT * alike + USUAL)
