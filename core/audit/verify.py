"""Walking a chain from its first entry to its last, and naming the first bad one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connection
from django.db.models import Subquery
from django.utils import timezone

from core.audit import triggers
from core.audit.anchors import read_anchors
from core.audit.chain import GENESIS, Keyring, same
from core.audit.diagnosis import check, gap, pending_fault
from core.audit.faults import Fault, FaultKind, Verdict
from core.audit.links import Chain, GlobalChain, TenantChain
from core.audit.models import AuditEvent, AuditHead
from core.audit.rows import keyring
from core.audit.sealing import pending

CHUNK = 2_000  # rows held in memory at a time
PROGRESS_EVERY = 1_000
PENDING_IS_OLD = timedelta(minutes=10)

Progress = Callable[[int, int], None]


def verify(*, tenant_id: str | None = None, progress: Progress | None = None, anchors: bool = True) -> Verdict:
    """Check the global chain and every tenant's end, or one tenant's chain alone, and name the first bad entry.

    Reads only, in chunks, and lets writers go on: what is sealed while it runs is left to the next run. ``progress(checked,
    total)`` is called now and then. ``anchors=False`` leaves the object store alone; a tenant's chain has no anchors. A tenant's
    run tells nothing of columns that only the global chain covers.
    """
    chain: Chain = TenantChain(tenant_id) if tenant_id else GlobalChain()
    anchored, notes = read_anchors(keyring()) if anchors and tenant_id is None else ({}, ())
    head = AuditHead.objects.filter(chain=chain.name).first()
    walk = _Walk(keyring(), chain, head, anchored)
    fault = walk.run(progress) or walk.end() or _beyond_head(walk) or (walk.tenant_ends() if tenant_id is None else None)
    waiting, pending_notes, bad_pending = _check_pending(keyring(), tenant_id)
    return Verdict(
        chain=chain.name,
        checked=walk.checked,
        pending=waiting,
        head_sequence=head.sequence if head else 0,
        head_hash=head.hash if head else GENESIS,
        anchors=len(anchored),
        fault=fault or bad_pending,
        unguarded=triggers.missing(connection),
        notes=(*notes, *pending_notes),
    )


@dataclass
class _Walk:
    """A run along one chain: what is expected next, and what was seen of each tenant."""

    ring: Keyring
    chain: Chain
    head: AuditHead | None
    anchored: Mapping[int, str]
    checked: int = 0
    previous: str = GENESIS
    tenants: dict[str, tuple[int, str]] = field(default_factory=dict)

    def run(self, progress: Progress | None) -> Fault | None:
        """Check every entry up to the head; stops at the first fault."""
        rows = self.chain.rows()
        total = self.head.sequence if self.head else rows.count()
        for event in rows.filter(**{f"{self.chain.number_field}__lte": total}).iterator(chunk_size=CHUNK):
            fault = self._step(event, total)
            if fault is not None:
                return fault
            if progress and self.checked % PROGRESS_EVERY == 0:
                progress(self.checked, total)
        if progress:
            progress(self.checked, total)
        return None

    def _step(self, event: AuditEvent, last: int) -> Fault | None:
        expected, number = self.checked + 1, self.chain.number(event)
        if number > expected:
            return gap(self.ring, self.chain, number=expected, previous=self.previous, at_end=False)
        fault = check(self.ring, self.chain, event, number=number, previous=self.previous, last=last)
        if fault is None and number < expected:
            fault = Fault(number, event.public_id, FaultKind.INSERTED, f"there is more than one entry {number}")
        if fault is None and number in self.anchored and not same(self.anchored[number], event.hash):
            fault = Fault(number, event.public_id, FaultKind.ANCHOR, "another entry stood here when the chain was anchored")
        if fault is None:
            self.checked, self.previous = number, self.chain.hash(event)
            if event.tenant_id and event.tenant_sequence:
                self.tenants[event.tenant_id] = (event.tenant_sequence, event.tenant_hash)
        return fault

    def end(self) -> Fault | None:
        """Hold the last entry against the head row and the anchors."""
        beyond = max((number for number in self.anchored if number > self.checked), default=0)
        if self.head is None:
            if self.checked:
                return Fault(self.checked, "", FaultKind.HEAD, "the head row is gone")
        elif self.head.sequence > self.checked:
            return gap(self.ring, self.chain, number=self.checked + 1, previous=self.previous, at_end=True)
        elif not same(self.head.hash, self.previous):
            return Fault(self.checked, "", FaultKind.HEAD, "the head row holds another hash than the last entry")
        if beyond:
            return Fault(
                self.checked + 1, "", FaultKind.TRUNCATED, f"the chain was anchored at {beyond} and now ends at {self.checked}"
            )
        return None

    def tenant_ends(self) -> Fault | None:
        """Hold what was seen of each tenant against its head; entries sealed since the run began are allowed for."""
        seen = dict(self.tenants)
        for head in AuditHead.objects.exclude(chain=self.chain.name).iterator(chunk_size=CHUNK):
            ends = AuditEvent.objects.filter(tenant_id=head.chain, tenant_sequence=head.sequence, tenant_hash=head.hash)
            if seen.pop(head.chain, None) != (head.sequence, head.hash) and not ends.exists():
                return Fault(self.checked, "", FaultKind.HEAD, f"the head row of {head.chain} does not name its last entry")
        missing = next(iter(seen), None)
        return Fault(self.checked, "", FaultKind.HEAD, f"the head row of {missing} is gone") if missing else None


def _beyond_head(walk: _Walk) -> Fault | None:
    """Entries that stand behind the head as it is now: asked in one statement, so that a sealer at work is not mistaken for one."""
    head = AuditHead.objects.filter(chain=walk.chain.name).values("sequence")[:1]
    event = walk.chain.rows().filter(**{f"{walk.chain.number_field}__gt": Subquery(head)}).first()
    if event is None:
        return None
    number = walk.chain.number(event)
    fault = check(walk.ring, walk.chain, event, number=number, previous=walk.previous, last=number)
    return fault or Fault(number, event.public_id, FaultKind.HEAD, "it is genuine, and the head row was moved back before it")


def _check_pending(ring: Keyring, tenant_id: str | None) -> tuple[int, tuple[str, ...], Fault | None]:
    """How many wait for their seal, what to say of them, and the first that is not genuine."""
    waiting = pending().filter(tenant_id=tenant_id) if tenant_id else pending()
    count = 0
    notes: tuple[str, ...] = ()
    first_bad: Fault | None = None
    for event in waiting.iterator(chunk_size=CHUNK):
        if count == 0 and event.recorded_at < timezone.now() - PENDING_IS_OLD:
            notes = (f"entries wait for their seal since {event.recorded_at:%Y-%m-%d %H:%M:%S} UTC; the sealer is not running",)
        count += 1
        first_bad = first_bad or pending_fault(ring, event)
    return count, notes, first_bad
