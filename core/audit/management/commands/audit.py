"""``manage.py audit verify``: prove the audit log, or name its first bad entry; ``check`` does it for a file that a tenant has kept."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.audit.anchors import write_anchor
from core.audit.faults import Verdict
from core.audit.proof import check_proof
from core.audit.rows import keyring
from core.audit.sealing import seal
from core.audit.verify import verify
from core.ids import TENANT, is_id


class Command(BaseCommand):
    """Audit log: ``verify`` proves it, ``seal`` links what waits, ``anchor`` writes its head down outside the database, ``check`` reads a proof."""

    help = "Prove the audit log (verify), link what waits (seal), or write its head down outside the database (anchor)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One verb, and the options of ``verify``."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        check = verbs.add_parser("verify", help="walk the chain and name the first bad entry; exit code 1 when there is one")
        check.add_argument("--tenant", default=None, metavar="tnt_...", help="the chain of one tenant alone")
        check.add_argument("--json", action="store_true", help="the verdict as JSON on standard output")
        check.add_argument("--no-anchors", action="store_true", help="do not read the anchors from the file storage")
        verbs.add_parser("seal", help="give committed entries their places now")
        verbs.add_parser("anchor", help="write the head of the chain down now")
        proof = verbs.add_parser(
            "check", help="hold a proof that a tenant downloaded against our keys; exit code 1 when it does not hold"
        )
        proof.add_argument("file", metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run one verb."""
        if options["verb"] == "seal":
            self.stdout.write(f"sealed {seal()}")
        elif options["verb"] == "anchor":
            seal()
            written = write_anchor()
            self.stdout.write(f"anchored entry {written.sequence} as {written.name}" if written else "nothing to anchor yet")
        elif options["verb"] == "check":
            self._check(options["file"])
        else:
            self._verify(options)

    def _check(self, name: str) -> None:
        try:
            body = json.loads(Path(name).read_text())
            fault = check_proof(body, keyring())
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CommandError(f"{name} cannot be read as a proof: {error}", returncode=2) from None
        if fault:
            self.stdout.write(self.style.ERROR(f"{name} does not hold: {fault}"))
            sys.exit(1)
        head = body["head"]
        self.stdout.write(self.style.SUCCESS(f"{name} holds: {head['number']} entries of {body['tenant']}, head {head['hash']}"))

    def _verify(self, options: dict[str, Any]) -> None:
        tenant = options["tenant"]
        if tenant is not None and not is_id(tenant, TENANT):
            raise CommandError(f"not the id of a tenant: {tenant}", returncode=2)
        seal()
        verdict = verify(tenant_id=tenant, progress=self._progress, anchors=not options["no_anchors"])
        if options["json"]:
            self.stdout.write(json.dumps(verdict.as_dict(), indent=2))
        else:
            self._tell(verdict)
        if not verdict.ok:
            sys.exit(1)

    def _progress(self, checked: int, total: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{checked:,} of {total:,} entries", ending="" if checked < total else "\n")

    def _tell(self, verdict: Verdict) -> None:
        what = "the audit log" if verdict.chain == "*" else f"the audit log of {verdict.chain}"
        if verdict.fault is None:
            anchors = f", {verdict.anchors} anchors" if verdict.anchors else ""
            self.stdout.write(self.style.SUCCESS(f"{what} is whole: {verdict.checked} entries{anchors}"))
            self.stdout.write(f"head {verdict.head_sequence} {verdict.head_hash}")
        else:
            fault = verdict.fault
            place = f"entry {fault.sequence}" if fault.sequence is not None else "a pending entry"
            self.stdout.write(self.style.ERROR(f"{what} is broken at {place} {fault.id}".rstrip()))
            self.stdout.write(f"{fault.kind}: {fault.explanation}; {verdict.checked} entries before it are whole")
        if verdict.pending:
            self.stdout.write(f"{verdict.pending} entries wait for their seal")
        for note in verdict.notes:
            self.stdout.write(self.style.WARNING(note))
        if verdict.unguarded:
            self.stdout.write(self.style.WARNING(f"triggers missing in the database: {', '.join(verdict.unguarded)}"))
