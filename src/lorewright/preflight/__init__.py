"""What is looked at before a training begins: by `./lorewright doctor`, and by the train stage before anything is loaded or started."""

from __future__ import annotations

from lorewright.preflight.checks import check_training, of_machine, of_recipe
from lorewright.preflight.found import BAD, OK, WARN, Found
from lorewright.preflight.hub import token_from
from lorewright.preflight.wanted import Wanted

__all__ = ["BAD", "OK", "WARN", "Found", "Wanted", "check_training", "of_machine", "of_recipe", "token_from"]
