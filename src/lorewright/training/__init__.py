"""Axolotl trains; this writes its configuration, reads its progress and draws its curves."""
