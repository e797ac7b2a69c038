#!/usr/bin/env python
"""The operators' command line: ``manage.py help`` lists the commands."""

from __future__ import annotations

import os
import sys

HARMLESS = frozenset({"check", "collectstatic", "help", "--help", "version", "--version"})
"""Commands that neither serve nor read anybody's data: how one looks at a configuration, and how an image without secrets is built."""


def main() -> None:
    """Run one command; in stage and production refuse to start on a configuration that the checks call unsafe."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
    from django.core.management import execute_from_command_line  # noqa: PLC0415  # the module's name comes first

    if len(sys.argv) > 1 and sys.argv[1] not in HARMLESS:
        from controlplane.checks import refuse_unsafe_start  # noqa: PLC0415  # reads the settings

        refuse_unsafe_start()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
