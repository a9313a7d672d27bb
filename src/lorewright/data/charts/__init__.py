"""Birth charts of purple star astrology: births (drawn or read), their charts (cast by py-iztro), the charts as text, questions.

births ─ cast (worker, kept one by one) ─ text ─ questions
"""
