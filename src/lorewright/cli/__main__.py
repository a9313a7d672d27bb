"""`python -m lorewright.cli`, which the launcher runs."""

import sys

from lorewright.cli import main

sys.exit(main())
