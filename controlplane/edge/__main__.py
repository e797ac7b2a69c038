"""``python -m controlplane.edge``: the admission edge, all its processes; settings come from the environment (``.env.example``)."""

from __future__ import annotations

import argparse
import logging.config
import os
import sys
from collections.abc import Sequence

from controlplane.edge import configuration, opening, parent, serving
from controlplane.env import Environment, SettingError, adopt_files
from controlplane.logs import logging_settings


def main(arguments: Sequence[str], open_parts: opening.Opening = opening.open_parts) -> int:
    """Run the edge, or with ``--process`` one of its processes, and give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m controlplane.edge", description="The admission edge.")
    parser.add_argument("--fd", type=int, help="a listening socket that was handed down, in the place of address and port")
    parser.add_argument("--process", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--report", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    adopt_files(os.environ, configuration.BASE_DIR)
    try:
        settings = configuration.read(Environment(os.environ))
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logging.config.dictConfig(logging_settings(as_json=settings.log_as_json, level=settings.log_level))
    if given.process:
        return serving.run(settings, open_parts, given.fd, given.report)
    return parent.run(settings, given.fd)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
