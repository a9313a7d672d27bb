"""lorewright turns a manuscript into a voice you can talk to: one recipe, from text to a served model that knows its world."""

__version__ = "0.1.0"
