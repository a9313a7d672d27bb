"""Benchmarks of what a recipe has made: one file each.

A benchmark has read(recipe, suite), which checks what is asked before anything is made, and bench(recipe, done, suite, console),
which gives a Report. suite ─ the questions; scoring ─ how good; report, retrieval_report ─ how it is shown
"""
