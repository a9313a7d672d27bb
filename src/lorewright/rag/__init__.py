"""Retrieval: lore files become passages and vectors, and a proxy puts the ones that fit before the model.

ingest: chunk ─ embed ─ store        proxy: app ─ access ─ completion ─ (places ─ retrieve ─ budget ─ inject) ─ upstream ─ relay
"""
