"""A smoke run: a few steps on a few samples, every stage touched, apart from the real run. What is smaller, and what it showed."""

from lorewright.smoke.seen import closing, took
from lorewright.smoke.small import Small, small_of

__all__ = ["Small", "closing", "small_of", "took"]
