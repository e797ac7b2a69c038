"""``manage.py cells``: register a place for tenants, print the IAM documents that it needs, prepare it, look at it."""

from __future__ import annotations

import argparse
import getpass
import time
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.markup import escape
from rich.table import Table

from controlplane.commandline.terminal import console_on
from core.actors import operator
from core.errors import DomainError
from provisioning import selectors
from provisioning.isolation.documents import Document, as_text
from provisioning.isolation.policies import base_user_policy, control_plane_trust, provisioner_policy
from provisioning.models import ACTIVE_STATES, Operation, OperationState
from provisioning.preflight import QUOTA_OF_KIND
from provisioning.services import start_prepare_cell, start_repair_cell
from tenants.facts import CellFacts
from tenants.naming import names_of_cell
from tenants.selectors import facts_of_cell, get_cell, list_cells
from tenants.services import register_cell

QUOTAS: Final = frozenset(quota for needs in QUOTA_OF_KIND.values() for quota in needs)
LOOK_SECONDS: Final = 0.5
DOCUMENTS: Final = ("provisioner", "trust", "base")


class Command(BaseCommand):
    """Cells from the command line. Every act is audited as ``operator:<login name>``."""

    help = "Register, prepare and repair cells, and print the IAM documents that a cell needs."

    def add_arguments(self, parser: CommandParser) -> None:
        """One sub-command an act."""
        acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
        acts.add_parser("list", help="list cells with the use of their quotas")
        self._add_register(acts.add_parser("register", help="write a place for tenants down; it takes none before it is prepared"))
        policy = acts.add_parser("policy", help="print one IAM document of a cell as JSON")
        policy.add_argument(
            "document", choices=DOCUMENTS, help="the role's policy, the role's trust, or the base identity's policy"
        )
        policy.add_argument("cell")
        policy.add_argument("--base-arn", default="", metavar="ARN", help="trust: the identity that the processes run as")
        for name, text in (("prepare", "make what the cell's tenants share"), ("repair", "read it back and correct what differs")):
            act = acts.add_parser(name, help=text)
            act.add_argument("cell")
            act.add_argument("--reason", required=True, help="kept in the audit log")
            act.add_argument("--no-wait", action="store_true", help="start it, and do not watch")
            act.add_argument("--timeout", type=float, default=900, metavar="SECONDS", help="how long to watch (default: 900)")

    def _add_register(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("code", help="[a-z][a-z0-9-]{0,19}; part of every name in AWS, and never changed")
        parser.add_argument("--environment", default=settings.ENVIRONMENT, help="default: this control plane's")
        parser.add_argument("--partition", default=settings.CONTROLPLANE_PARTITION, help="default: this control plane's")
        parser.add_argument("--region", required=True)
        parser.add_argument("--account-id", required=True)
        parser.add_argument("--role-arn", default="", metavar="ARN", help="default: the role of templates/platform in that account")
        parser.add_argument(
            "--quota", action="append", default=[], metavar="NAME=NUMBER", help=f"repeatable: {', '.join(sorted(QUOTAS))}"
        )
        parser.add_argument("--reason", required=True, help="kept in the audit log")

    def handle(self, *args: Any, act: str, **options: Any) -> None:
        """Run one sub-command; a domain error ends it with its own words and exit code 1."""
        self.console = console_on(self.stdout)
        self.actor = operator(getpass.getuser(), "command line")
        try:
            getattr(self, f"_{act}")(options)
        except DomainError as error:
            raise CommandError(error.detail) from None

    def _list(self, _: dict[str, Any]) -> None:
        table = Table("code", "environment", "region", "account", "state", "role", "quotas in use")
        for cell in list_cells():
            used = ", ".join(f"{quota.name} {quota.used}/{quota.limit}" for quota in selectors.quotas_of(cell)) or "no limits known"
            role = cell.role_arn or "none: the process's own identity"
            where = f"{cell.region} ({cell.partition})"
            table.add_row(*map(escape, (cell.code, cell.environment, where, cell.account_id, cell.state, role, used)))
        self.console.print(table)

    def _register(self, options: dict[str, Any]) -> None:
        place = {name: options[name] for name in ("code", "environment", "partition", "region", "account_id")}
        role_arn = options["role_arn"] or names_of_cell(CellFacts("", **place)).control_plane_role_arn
        cell = register_cell(
            actor=self.actor, **place, role_arn=role_arn, quotas=_quotas(options["quota"]), reason=options["reason"]
        )
        self.console.print(f"Cell {cell.code} is registered; the control plane will work there as {cell.role_arn}", highlight=False)

    def _policy(self, options: dict[str, Any]) -> None:
        facts = facts_of_cell(get_cell(options["cell"]))
        self.stdout.write(as_text(_document(options["document"], facts, options["base_arn"])))

    def _prepare(self, options: dict[str, Any]) -> None:
        self._watch(start_prepare_cell(actor=self.actor, cell_code=options["cell"], reason=options["reason"]), options)

    def _repair(self, options: dict[str, Any]) -> None:
        self._watch(start_repair_cell(actor=self.actor, cell_code=options["cell"], reason=options["reason"]), options)

    def _watch(self, operation: Operation, options: dict[str, Any]) -> None:
        self.console.print(f"{operation.get_kind_display()}: operation {operation.pk}, {operation.steps_total} steps")
        if options["no_wait"]:
            return
        give_up_at = time.monotonic() + options["timeout"]
        while operation.state in ACTIVE_STATES and time.monotonic() < give_up_at:
            time.sleep(LOOK_SECONDS)
            operation.refresh_from_db()
        for step in operation.steps.order_by("position"):
            why = f"  {step.error_code}: {step.error_detail}" if step.error_code else f"  {step.note}" if step.note else ""
            self.console.print(escape(f"  {step.action:7} {step.kind:12} {step.name:8} {step.state}{why}"), highlight=False)
        if operation.state != OperationState.SUCCEEDED:
            what = f"{operation.error_code}: {operation.error_detail}" if operation.error_code else "it has not ended yet"
            raise CommandError(f"The operation is {operation.state}: {what}")
        self.console.print(
            f"The cell is ready: {operation.steps_done} of {operation.steps_total} steps were read back as promised."
        )


def _document(name: str, facts: CellFacts, base_arn: str) -> Document:
    if name == "provisioner":
        return provisioner_policy(facts)
    if name == "base":
        return base_user_policy([facts])
    if not base_arn:
        raise CommandError("The trust policy names one identity: give it with --base-arn.")
    return control_plane_trust(facts, base_arn)


def _quotas(texts: list[str]) -> dict[str, int]:
    quotas = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name not in QUOTAS or not number.isascii() or not number.isdecimal():
            raise CommandError(f"{text!r} is no quota: NAME=NUMBER, with a name of {', '.join(sorted(QUOTAS))}.")
        quotas[name] = int(number)
    return quotas
