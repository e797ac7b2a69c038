"""``manage.py tenants``: onboard a file, list, show, and every act on a tenant."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from controlplane.commandline import onboarding, rows
from controlplane.commandline.results import write_results
from core.actors import operator
from core.errors import DomainError
from provisioning import drift, selectors, services
from provisioning.models import Operation
from tenants.inputs import clean_reason
from tenants.members import connections, invitations
from tenants.members.selectors import find_first
from tenants.models import Tenant
from tenants.selectors import get_tenant, list_tenants

WIDE = 240
ACTS: dict[str, Callable[..., Operation]] = {
    "suspend": services.start_suspend,
    "resume": services.start_resume,
    "change-tier": services.start_change_tier,
    "offboard": services.start_offboard,
    "undo-offboard": services.start_undo_offboard,
    "repair": services.start_repair,
}


def _days(text: str) -> float:
    days = float(text)
    if not 0 <= days <= services.MAX_GRACE.days:
        raise argparse.ArgumentTypeError(f"0 to {services.MAX_GRACE.days} days")
    return days


def _time(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at is not None else "never"


def _invited(tenant: Tenant) -> str:
    """Say how the first administrator's invitation stands."""
    first = find_first(tenant.pk)
    if first is None:
        return "not invited"
    found = invitations.invitation_of(first)
    if not found.is_pending:
        return f"joined {_time(first.joined_at)}" if first.joined_at else "invitation cancelled"
    ends = "ended" if found.standing is invitations.Standing.EXPIRED else "ends"
    error = f" ({first.mail_error})" if first.mail_error else ""
    return f"invitation {found.standing}{error}, last sent {_time(found.sent_at)}, {ends} {_time(found.ends_at)}"


class Command(BaseCommand):
    """Onboard and look after tenants from the command line. Every act is audited as ``operator:<login name>``."""

    help = "Onboard and look after tenants."

    def add_arguments(self, parser: CommandParser) -> None:
        """One sub-command an act."""
        acts = parser.add_subparsers(dest="act", required=True)
        onboard = acts.add_parser("onboard", help="onboard every row of a CSV or JSON file")
        onboard.add_argument("file", type=Path)
        onboard.add_argument("--results", type=Path, help="where to write what became of each row (default: FILE.result.csv)")
        onboard.add_argument("--no-wait", action="store_true", help="ask for all, and do not watch")
        onboard.add_argument("--timeout", type=float, default=3_600, metavar="SECONDS", help="how long to watch (default: 3600)")
        listing = acts.add_parser("list", help="list tenants, newest first")
        for name in ("state", "tier", "cell", "search"):
            listing.add_argument(f"--{name}", default="")
        listing.add_argument("--limit", type=int, default=50, choices=range(1, 100_001), metavar="N")
        for name, text in (
            ("show", "show one tenant, what it has and its operations"),
            ("drift", "read everything back and say what differs"),
        ):
            acts.add_parser(name, help=text).add_argument("tenant")
        for name in ACTS:
            self._add_act(acts.add_parser(name, help=f"{name.replace('-', ' ')} a tenant"), name)
        self._add_act(
            acts.add_parser("invite-again", help="mail a first administrator who never came a fresh invitation"), "invite-again"
        )
        self._add_act(
            acts.add_parser("sso-off", help="switch a tenant's own identity provider off: passwords let in again"), "sso-off"
        )
        for name in ("retry", "abandon"):
            ending = acts.add_parser(name, help=f"{name} a failed operation")
            ending.add_argument("operation")
            ending.add_argument("--reason", required=True)

    def _add_act(self, parser: argparse.ArgumentParser, name: str) -> None:
        parser.add_argument("tenant", help="id or slug")
        parser.add_argument("--reason", required=True, help="kept in the audit log")
        if name == "change-tier":
            parser.add_argument("--tier", required=True)
        if name == "offboard":
            parser.add_argument("--grace-days", type=_days, help="default: the tier's")

    def handle(self, *args: Any, act: str, **options: Any) -> None:
        """Run one sub-command; a domain error ends it with its own words and exit code 1."""
        # Into a file or a pipe nothing is folded: ids there are read by programs.
        self.console = Console(file=cast("IO[str]", self.stdout), width=None if self.stdout.isatty() else WIDE, soft_wrap=True)
        self.actor = operator(getpass.getuser(), "command line")
        try:
            special = getattr(self, f"_{act.replace('-', '_')}", None)
            if special is not None:
                special(options)
            elif act in ("retry", "abandon"):
                self._started(getattr(services, act)(actor=self.actor, operation_id=options["operation"], reason=options["reason"]))
            else:
                self._act(act, options)
        except DomainError as error:
            raise CommandError(error.detail) from None

    def _act(self, act: str, options: dict[str, Any]) -> None:
        extra: dict[str, Any] = {"tier_code": options["tier"]} if act == "change-tier" else {}
        if act == "offboard" and options["grace_days"] is not None:
            extra["grace"] = timedelta(days=options["grace_days"])
        tenant = get_tenant(options["tenant"])
        self._started(ACTS[act](actor=self.actor, tenant_id=tenant.pk, reason=options["reason"], **extra))

    def _started(self, operation: Operation) -> None:
        self.console.print(f"{operation.get_kind_display()}: operation {operation.pk}, {operation.steps_total} steps")

    def _onboard(self, options: dict[str, Any]) -> None:
        path: Path = options["file"]
        asked = rows.read(path)
        with self._progress() as progress:
            asking = progress.add_task("asked for", total=len(asked))
            outcomes = onboarding.ask_for(asked, actor=self.actor, told=lambda: progress.advance(asking))
            if not options["no_wait"]:
                watching = progress.add_task("ended", total=sum(bool(outcome.operation) for outcome in outcomes))
                onboarding.watch(
                    outcomes, timeout_seconds=options["timeout"], told=lambda done: progress.update(watching, completed=done)
                )
        results = options["results"] or path.with_name(f"{path.name}.result.csv")
        write_results(results, onboarding.Outcome, outcomes)
        for outcome in outcomes:
            if outcome.outcome not in ("onboarded", "pending"):
                where = f", column {outcome.column}" if outcome.column else ""
                self.console.print(escape(f"line {outcome.line}{where}: {outcome.outcome}: {outcome.reason}"))
        counts = {kind: sum(o.outcome == kind for o in outcomes) for kind in sorted({o.outcome for o in outcomes})}
        self.console.print(", ".join(f"{number} {kind}" for kind, number in counts.items()) or "the file has no rows")
        self.console.print(f"results: {results}")
        if set(counts) - {"onboarded"} and not (options["no_wait"] and set(counts) <= {"onboarded", "pending"}):
            raise CommandError("Not every row was onboarded.")

    def _progress(self) -> Progress:
        columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        return Progress(*columns, console=self.console)

    def _list(self, options: dict[str, Any]) -> None:
        found = list_tenants(**{name: options[name] for name in ("state", "tier", "cell", "search")})
        table = Table("slug", "name", "tier", "cell", "state", "id")
        for tenant in found[: options["limit"]]:
            table.add_row(
                *(escape(text) for text in (tenant.slug, tenant.name, tenant.tier_id, tenant.cell.code, tenant.state, tenant.pk))
            )
        self.console.print(table)

    def _show(self, options: dict[str, Any]) -> None:
        tenant = get_tenant(options["tenant"])
        self.console.print(
            escape(f"{tenant.name} ({tenant.slug}, {tenant.pk}): {tenant.state}, {tenant.tier_id}, cell {tenant.cell.code}")
        )
        self.console.print(escape(f"administrator {tenant.admin_email}: {_invited(tenant)}"))
        table = Table("kind", "name", "state", "observed", "differs")
        for resource in selectors.list_resources(tenant_id=tenant.pk):
            seen = f"{resource.observed_at:%Y-%m-%d %H:%M:%S}" if resource.observed_at else "never"
            table.add_row(resource.kind, resource.name, resource.state, seen, escape("; ".join(resource.differences)))
        self.console.print(table)
        for operation in selectors.timeline_of(tenant.pk):
            done = f"{operation.steps_done}/{operation.steps_total}"
            self.console.print(
                escape(
                    f"{operation.created_at:%Y-%m-%d %H:%M:%S} {operation.get_kind_display()}: {operation.state} {done} {operation.pk}"
                )
            )
            for step in operation.steps.all():
                error = f" {step.error_code}: {step.error_detail}" if step.error_code else ""
                self.console.print(escape(f"    {step.action:7} {step.kind:15} {step.name:8} {step.state}{error}"))

    def _invite_again(self, options: dict[str, Any]) -> None:
        tenant = get_tenant(options["tenant"])
        first = invitations.send_first_again(actor=self.actor, tenant_id=tenant.pk, reason=options["reason"])
        self.console.print(
            escape(f"A fresh invitation to {first.email} is on its way, good until {_time(first.invitation_expires_at)}.")
        )

    def _sso_off(self, options: dict[str, Any]) -> None:
        tenant = get_tenant(options["tenant"])
        connections.switch_off(actor=self.actor, tenant_id=tenant.pk, reason=clean_reason(options["reason"]))
        self.console.print(escape(f"{tenant.slug}: passwords let in again. Whoever has none asks for a link at the sign-in page."))

    def _drift(self, options: dict[str, Any]) -> None:
        found = drift.observe_tenant(get_tenant(options["tenant"]), actor=self.actor)
        for difference in found:
            self.console.print(escape(f"{difference.kind} {difference.name}: {'; '.join(difference.differences)}"))
        if found:
            raise CommandError(f"{len(found)} resources are not as promised; `manage.py tenants repair` corrects them.")
        self.console.print("Everything was read back as promised.")
