"""``manage.py tiers``: the tiers that a new installation starts with, and a list of those that are there."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from rich.markup import escape
from rich.table import Table

from controlplane.commandline.terminal import console_on
from tenants.seed import TIERS, seed_tiers
from tenants.selectors import list_tiers


class Command(BaseCommand):
    """Tiers are edited in the console and over the API; this adds the first ones where nobody ran ``up``."""

    help = "List tiers, or add the ones that a new installation starts with."

    def add_arguments(self, parser: CommandParser) -> None:
        """One sub-command an act."""
        acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
        acts.add_parser("list", help="list tiers, the retired ones too")
        acts.add_parser("seed", help=f"add {', '.join(TIERS)} where they are missing; those that exist are left as they are")

    def handle(self, *args: Any, act: str, **options: Any) -> None:
        """Run one sub-command."""
        if act == "seed":
            seed_tiers()
        table = Table("code", "name", "isolation model", "grace (days)", "log retention (days)", "state")
        for tier in list_tiers():
            grace = f"{tier.offboarding_grace_seconds / 86_400:g}"
            state = "retired" if tier.retired_at else "open"
            table.add_row(*map(escape, (tier.code, tier.name, tier.isolation_model, grace, str(tier.log_retention_days), state)))
        console_on(self.stdout).print(table)
