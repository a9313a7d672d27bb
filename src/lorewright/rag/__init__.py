"""Retrieval: lore files become passages and vectors, and a proxy puts the ones that fit before the model.

ingest: lore_files ─ chunk ─ journal (embed) ─ store        proxy: app ─ completion ─ (retrieve ─ inject ─ budget) ─ upstream
an index: Chroma has the vectors, catalogue the passages and their words (lexical); retrieve fuses both, choose decides
"""
