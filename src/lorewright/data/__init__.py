"""Text in, examples out: extract, clean, split, style, format. Pure functions on text, in this order."""
