"""Retrieval: lore files become passages and vectors, and a proxy puts the ones that fit before the model.

ingest: lore_files ─ chunk ─ journal (embed) ─ store, then prune; lore takes the new index up where a proxy runs
an index: Chroma has the vectors, catalogue the passages and their words (lexical); retrieve fuses both, choose decides
proxy: app ─ access ─ completion ─ (places ─ retrieve ─ budget ─ inject) ─ upstream ─ relay
"""
