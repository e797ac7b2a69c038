"""``manage.py tokens issue|list|revoke``: who may call the API."""

from __future__ import annotations

import getpass
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from controlplane.api import services
from controlplane.api.models import OperatorToken
from controlplane.api.scopes import Scope, parse_scopes
from core.actors import operator
from core.errors import DomainError


class Command(BaseCommand):
    """Operator tokens: issue one, list them, revoke one. Every act is audited as ``operator:<login name>``."""

    help = "Issue, list and revoke the operator tokens that the API asks for."

    def add_arguments(self, parser: CommandParser) -> None:
        """One sub-command an act."""
        acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
        issue = acts.add_parser("issue", help="make a token; it is written to standard output, once")
        issue.add_argument("--label", required=True, help="what it is for, as lists and the audit log show it")
        issue.add_argument(
            "--scope", action="append", required=True, metavar="SCOPE", help=f"{', '.join(Scope)}, *:read or *; repeatable"
        )
        issue.add_argument("--days", type=int, default=90, help="how long it lives, 1 to 366 (default: 90)")
        issue.add_argument("--reason", default="", help="kept in the audit log")
        listing = acts.add_parser("list", help="list tokens that can still be used")
        listing.add_argument("--all", action="store_true", help="also the expired and the revoked")
        revoke = acts.add_parser("revoke", help="end a token for ever")
        revoke.add_argument("token", help="its id, tok_...")
        revoke.add_argument("--reason", required=True, help="kept in the audit log")

    def handle(self, *args: Any, act: str, **options: Any) -> None:
        """Run one sub-command; a refusal ends it with its own words and exit code 1."""
        try:
            getattr(self, f"_{act}")(options)
        except DomainError as error:
            raise CommandError(error.detail) from None

    def _issue(self, options: dict[str, Any]) -> None:
        try:
            scopes = parse_scopes(options["scope"])
        except ValueError as error:
            raise CommandError(f"{error}; scopes are {', '.join(Scope)}, *:read and *") from None
        issued = services.issue_token(
            actor=operator(getpass.getuser(), "command line"),
            label=options["label"],
            scopes=scopes,
            lifetime=timedelta(days=min(max(options["days"], 0), 10_000)),
            reason=options["reason"],
        )
        row = issued.row
        self.stderr.write(f"{row.pk} ({row.label}) until {row.expires_at:%Y-%m-%d %H:%M} UTC, may {', '.join(row.scopes)}.")
        self.stderr.write("The token is shown this once and cannot be read again:")
        self.stdout.write(issued.text)

    def _list(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        rows = OperatorToken.objects.all()
        if not options["all"]:
            rows = rows.filter(revoked_at__isnull=True, expires_at__gt=now)
        line = "{:<30}  {:<24}  ...{:<4}  {:<8}  {:<16}  {:<16}  {}"
        self.stdout.write(line.format("id", "label", "last", "state", "expires (UTC)", "last used (UTC)", "scopes"))
        for row in rows:
            state = "revoked" if row.revoked_at else "expired" if row.expires_at <= now else "usable"
            used = f"{row.last_used_at:%Y-%m-%d %H:%M}" if row.last_used_at else "never"
            expires = f"{row.expires_at:%Y-%m-%d %H:%M}"
            self.stdout.write(line.format(row.pk, row.label[:24], row.last_four, state, expires, used, " ".join(row.scopes)))

    def _revoke(self, options: dict[str, Any]) -> None:
        actor = operator(getpass.getuser(), "command line")
        row = services.revoke_token(actor=actor, token_id=options["token"], reason=options["reason"])
        self.stdout.write(f"{row.pk} ({row.label}) is revoked since {row.revoked_at:%Y-%m-%d %H:%M} UTC.")
