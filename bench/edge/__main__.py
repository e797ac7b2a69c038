"""Measure the admission edge, and write a table: ``python -m bench.edge [--quick] [--only NAME ...]``, which is what ``make bench-edge`` runs.

Where ``DATABASE_URL`` names a PostgreSQL, what hangs on the database is measured there as well. ``--quick`` is a smoke run: one short round of
each, and 20,000 keys instead of a million. The table goes to ``bench/results/`` and to the terminal.
"""

from __future__ import annotations

import sys

from bench.__main__ import main
from bench.run import EDGE

ON_BOTH = ("edge.sizes",)

if __name__ == "__main__":
    sys.exit(main(EDGE, ON_BOTH, command="bench-edge", about=__doc__))
