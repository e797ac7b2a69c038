"""One measurement in a process of its own: ``python -m bench.run NAME --output FILE``; what ``python -m bench`` runs for each."""

from __future__ import annotations

import argparse
import importlib
import time
from contextlib import nullcontext
from pathlib import Path

from bench.ground import parts

MEASUREMENTS = ("share", "throughput", "growth", "lists", "audit", "keys", "leaks", "portal", "fairness", "projection", "spending")
EDGE = ("edge.beside", "edge.inprocess", "edge.neighbours", "edge.sizes", "edge.propagation")
"""What ``python -m bench.edge`` runs."""
BY_THEMSELVES = ("edge.beside", "edge.inprocess", "edge.neighbours", "edge.propagation")
"""These start what they need: the parts of the others would only stand beside them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measurement", choices=(*MEASUREMENTS, *EDGE))
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--database-url", default="")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    started = time.monotonic()
    with nullcontext() if options.measurement in BY_THEMSELVES else parts(options.database_url) as ground:
        # After the parts: the module imports the product, which reads its settings when it is imported.
        module = importlib.import_module(f"bench.{options.measurement}")
        result = module.measure(ground, quick=options.quick)
    result.seconds = round(time.monotonic() - started, 1)
    result.write(options.output)


if __name__ == "__main__":
    main()
