"""Packages that some trainings want and none needs, put beside the train environment: flash-attn, DeepSpeed, Ray.

Each lies in a folder of its own below the environment, which one line in the environment's site-packages makes visible. What the
environment was built from stays as it is, and so does its key: no stage is made again because something was added.
"""

from lorewright.extras.add import NAMES, Extra, add, added, need, remove

__all__ = ["NAMES", "Extra", "add", "added", "need", "remove"]
