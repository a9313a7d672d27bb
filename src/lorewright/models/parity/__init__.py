"""Whether a model that was merged, served or exported is the one that was trained: the same questions, the next tokens compared."""
