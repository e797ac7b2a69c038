"""``manage.py settle``: what ``up`` runs inside the product when its parts are ready. One JSON object a line on standard output."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from controlplane.embedded.first_run import settle
from core.errors import DomainError


class Command(BaseCommand):
    """Create the first operator, seed tiers and cell, repair what the stand-in has lost."""

    help = "What `up` runs inside the product; not meant to be typed."

    def add_arguments(self, parser: CommandParser) -> None:
        """The role of the embedded cell (none when AWS is a given one), and whether to repair."""
        parser.add_argument("--role-arn", default="")
        parser.add_argument("--repair", action="store_true")

    def handle(self, *_: Any, **options: Any) -> None:
        """Settle, telling each event as it happens."""
        if settings.ENVIRONMENT != "dev":
            raise CommandError("settle belongs to the embedded stack and runs in dev only.")
        try:
            settle(self._tell, region=settings.AWS_DEFAULT_REGION, role_arn=options["role_arn"], repair=options["repair"])
        except DomainError as error:
            self._tell({"event": "unsettled", "text": error.detail})
            raise CommandError(error.detail) from error

    def _tell(self, event: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(event))
        self.stdout.flush()
