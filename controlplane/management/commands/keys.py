"""``manage.py keys``: look at tenants' keys, rotate one or all of them, end them, take some over. A key's text is never printed."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from controlplane.commandline import key_import, key_lookup, key_rotation, key_tables, rows
from controlplane.commandline.results import write_results
from controlplane.commandline.terminal import console_on
from core.actors import operator
from core.errors import DomainError
from tenants.inputs import clean_reason
from tenants.keys import rotation, selectors, services
from tenants.keys.models import ApiKey, KeyEnvironment, KeyState
from tenants.naming import key_secret
from tenants.selectors import facts_of, get_tenant

STATES = (KeyState.ACTIVE.value, KeyState.DISABLED.value, KeyState.EXPIRED.value, KeyState.REVOKED.value)
ACTS: dict[str, Callable[..., ApiKey]] = {
    "revoke": services.revoke_key,
    "disable": services.disable_key,
    "enable": services.enable_key,
    "retire-previous": rotation.retire_previous,
}
HELP = {
    "revoke": "end a key for good, with all its versions and its secret",
    "disable": "refuse a key until it is enabled",
    "enable": "accept a disabled key again, for what is left of its life",
    "retire-previous": "end the overlap of the last rotation now",
}


def _moment(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise argparse.ArgumentTypeError("a time with its time zone, as in 2027-01-31T09:00:00Z")
    return found


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise argparse.ArgumentTypeError("whole seconds, 0 or more")
    return int(text)


class Command(BaseCommand):
    """Keys from the command line. Every act is audited as ``operator:<login name>``."""

    help = "Look at, rotate, end and take over tenants' keys."

    def add_arguments(self, parser: CommandParser) -> None:
        """One sub-command an act."""
        acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
        listing = acts.add_parser("list", help="list keys, newest first")
        listing.add_argument("--tenant", default="", help="id or slug")
        listing.add_argument("--state", default="", choices=("", *STATES), metavar="STATE", help=", ".join(STATES))
        listing.add_argument("--environment", default="", choices=("", *KeyEnvironment.values), metavar="ENVIRONMENT")
        listing.add_argument("--search", default="", help="in names; or a whole key id or public id")
        listing.add_argument("--limit", type=int, default=50, choices=range(1, 100_001), metavar="N")
        acts.add_parser("show", help="show one key and its lineage").add_argument("key", help="key id, public id or visible start")
        self._add_rotate(acts.add_parser("rotate", help="give one key, or all of a tenant's or everybody's, a new version"))
        for name in ACTS:
            ending = acts.add_parser(name, help=HELP[name])
            ending.add_argument("key", help="key id, public id or visible start")
            ending.add_argument("--reason", required=True, help="kept in the audit log")
        taking = acts.add_parser("import", help="take over keys from elsewhere, by their SHA-256, from a CSV or JSON file")
        taking.add_argument("file", type=Path, help=f"columns: {', '.join(key_import.KEYS.columns)}")
        taking.add_argument("--tenant", required=True, help="id or slug")
        taking.add_argument("--reason", default=key_import.REASON, help="kept in the audit log")
        taking.add_argument("--results", type=Path, help="where to write what became of each row (default: FILE.result.csv)")
        acts.add_parser("peppers", help="count versions by pepper, and say which can be dropped")

    def _add_rotate(self, parser: argparse.ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("key", nargs="?", help="key id, public id or visible start")
        which.add_argument("--tenant", help="all keys of this tenant that can be rotated")
        which.add_argument("--all", action="store_true", help="all keys of all tenants that can be rotated")
        parser.add_argument("--reason", required=True, help="kept in the audit log")
        parser.add_argument("--overlap-seconds", type=_seconds, metavar="N", help="default and most: the tier's; 0 is none")
        parser.add_argument("--retire-when-quiet", action="store_true", help="let predecessors go earlier, by evidence")
        parser.add_argument("--end-previous", action="store_true", help="end the overlap of an earlier rotation that is still open")
        parser.add_argument("--since", type=_moment, metavar="TIME", help="go on: skip what was rotated since then")
        parser.add_argument("--results", type=Path, help="also write what became of each key into this CSV file")

    def handle(self, *args: Any, act: str, **options: Any) -> None:
        """Run one sub-command; a domain error ends it with its own words and exit code 1."""
        self.console = console_on(self.stdout)
        self.actor = operator(getpass.getuser(), "command line")
        try:
            if act in ACTS:
                self._act(act, options)
            else:
                getattr(self, f"_{act}")(options)
        except DomainError as error:
            raise CommandError(error.detail) from None

    def _list(self, options: dict[str, Any]) -> None:
        tenant_id = get_tenant(options["tenant"]).pk if options["tenant"] else ""
        found = selectors.list_keys(tenant_id=tenant_id, **{name: options[name] for name in ("state", "environment", "search")})
        self.console.print(key_tables.of_keys(found[: options["limit"]]))

    def _show(self, options: dict[str, Any]) -> None:
        key = key_lookup.get_key(options["key"])
        lines = [
            f"{key.name} ({key.pk}): {selectors.state_of(key)}, of {key.tenant.name} ({key.tenant.slug})",
            f"start {key_lookup.start_of(key)}",
            f"scopes {' '.join(key.scopes) or 'none'}; from {' '.join(key.cidrs) or 'anywhere'}",
            f"store {key.store_state}{f' ({key.store_error})' if key.store_error else ''}: {self._secret(key)}",
        ]
        if key.leaked_at:
            lines.append(f"found in public {key_tables.moment(key.leaked_at)}")
        for line in lines:
            self.console.print(escape(line))
        self.console.print(key_tables.of_versions(selectors.list_versions(key)))

    def _act(self, act: str, options: dict[str, Any]) -> None:
        key = key_lookup.get_key(options["key"])
        after = ACTS[act](actor=self.actor, tenant_id=key.tenant_id, key_id=key.pk, reason=clean_reason(options["reason"]))
        self.console.print(escape(f"{after.name} ({after.pk}): {after.state}, store {after.store_state}"))

    def _rotate(self, options: dict[str, Any]) -> None:
        overlap = None if options["overlap_seconds"] is None else timedelta(seconds=options["overlap_seconds"])
        how = key_rotation.How(
            self.actor, clean_reason(options["reason"]), overlap, options["retire_when_quiet"], options["end_previous"]
        )
        if options["key"]:
            self._rotate_one(key_lookup.get_key(options["key"]), how)
        else:
            self._rotate_many(options, how)

    def _rotate_one(self, key: ApiKey, how: key_rotation.How) -> None:
        outcomes, _ = key_rotation.rotate_all([key.pk], how)
        if outcomes and outcomes[0].outcome == "rotated":
            self.console.print(escape(f"{key.name} ({key.pk}): version {outcomes[0].version}, store {outcomes[0].store}"))
            self.console.print(escape(f"its text is in the tenant's Secrets Manager: {self._secret(key)}"))
            return
        raise CommandError(outcomes[0].reason if outcomes else "Interrupted.")

    def _rotate_many(self, options: dict[str, Any], how: key_rotation.How) -> None:
        started = timezone.now()
        tenant_id = get_tenant(options["tenant"]).pk if options["tenant"] else ""
        selected = key_lookup.to_rotate(tenant_id=tenant_id, since=options["since"])
        with self._progress() as progress:
            task = progress.add_task("rotated", total=len(selected.key_ids))
            outcomes, finished = key_rotation.rotate_all(selected.key_ids, how, told=lambda outcome: progress.advance(task))
        failed = [outcome for outcome in outcomes if outcome.outcome == "failed"]
        for outcome in failed:
            self.console.print(escape(f"{outcome.key} {outcome.tenant} {outcome.name}: {outcome.code}: {outcome.reason}"))
        if options["results"]:
            write_results(options["results"], key_rotation.Outcome, outcomes)
        behind = sum(outcome.store == "follows" for outcome in outcomes)
        parts = [f"{len(outcomes) - len(failed)} rotated", f"{len(failed)} failed"]
        parts += [f"{selected.done} skipped: rotated since {options['since'].isoformat()}"] if options["since"] else []
        parts += [f"{behind} stores still follow"] if behind else []
        parts += (
            [f"{selected.left_out} left out: disabled, expired, or of tenants that are not active"] if selected.left_out else []
        )
        self.console.print(escape("; ".join(parts)))
        if failed or not finished:
            since = (options["since"] or started).isoformat(timespec="seconds").replace("+00:00", "Z")
            left = len(selected.key_ids) - len(outcomes) + len(failed)
            raise CommandError(f"{left} keys were not rotated. To go on with them: the same command with --since {since}")

    def _import(self, options: dict[str, Any]) -> None:
        path: Path = options["file"]
        tenant, asked = get_tenant(options["tenant"]), rows.read(path, key_import.KEYS)
        with self._progress() as progress:
            task = progress.add_task("read", total=len(asked))
            outcomes = key_import.take_over(
                asked, tenant, actor=self.actor, reason=clean_reason(options["reason"]), told=lambda: progress.advance(task)
            )
        results = options["results"] or path.with_name(f"{path.name}.result.csv")
        write_results(results, key_import.Outcome, outcomes)
        for outcome in outcomes:
            if outcome.outcome == "refused":
                where = f", column {outcome.column}" if outcome.column else ""
                self.console.print(escape(f"line {outcome.line}{where}: refused: {outcome.reason}"))
        counts = {kind: sum(o.outcome == kind for o in outcomes) for kind in sorted({o.outcome for o in outcomes})}
        self.console.print(", ".join(f"{number} {kind}" for kind, number in counts.items()) or "the file has no rows")
        self.console.print(escape(f"results: {results}"))
        if counts.get("refused"):
            raise CommandError("Not every row was imported.")

    def _peppers(self, options: dict[str, Any]) -> None:
        table, missing = key_tables.of_peppers(selectors.count_by_pepper(), settings.KEY_PEPPERS)
        self.console.print(table)
        if missing:
            numbers = ", ".join(str(number) for number in missing)
            raise CommandError(f"KEY_PEPPERS lacks {numbers}: put it back, or rotate the keys that stand under it.")

    def _secret(self, key: ApiKey) -> str:
        return key_secret(facts_of(key.tenant), key.pk)

    def _progress(self) -> Progress:
        columns = (
            TextColumn("{task.description:>8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        return Progress(*columns, console=self.console)
