"""Checkpoints in bitsandbytes' NF4, bit for bit as bitsandbytes would make them, a tensor at a time and without a model in memory."""
