"""Runs that have been: which one is meant, what it was made of, what changed between two, and whether one can be made again."""
