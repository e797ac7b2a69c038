"""Sealing: giving committed events their places in the global chain and in their tenants' chains.

Why after commit and not with the act: a chain has one end, so whoever appends holds its lock until commit. Taken inside every
audited transaction that lock serialises the product on the log, and deadlocks as soon as two services touch other rows after it in
different order. Here each transaction only inserts, and one sealer at a time links what has been committed. What that costs, and
what guards an event until it is sealed, is in ``docs/decisions/0003-audit-chain.md``.

Lock order: the global head, then the heads of tenants in order of their ids. Nothing else is locked while they are held, and no
caller holds anything: a sealer runs in a transaction of its own.
"""

from __future__ import annotations

import logging
import time

from django.db import connection, models, transaction

from core.audit.chain import Keyring, UnknownKeyError, entry_code, global_hash, same, tenant_hash
from core.audit.models import GLOBAL_CHAIN, AuditEvent, AuditHead
from core.audit.rows import content_of, keyring, place_of
from core.audit.triggers import EVENTS, HEADS

log = logging.getLogger("core.audit")
BATCH = 500
PACE_SECONDS = 0.25
SEAL = ("sequence", "previous_hash", "hash", "tenant_sequence", "tenant_previous_hash", "tenant_hash")
ROUNDS = 20  # a caller seals at most BATCH * ROUNDS events of others before the sweep takes over


def pending() -> models.QuerySet[AuditEvent]:
    """Committed events without a place, oldest first."""
    return AuditEvent.objects.filter(sequence__isnull=True).order_by("position")


def seal() -> int:
    """Seal all pending events; gives how many. Safe to run anywhere, as often as anybody likes.

    If another sealer is at work this one leaves it the work: that one looks again after releasing the lock, so nothing that was
    committed before the lock was found taken is left behind. An event whose entry code is wrong is never sealed; ``verify`` names
    it.
    """
    total = 0
    bad: set[int] = set()
    for _ in range(ROUNDS):
        if not pending().exclude(position__in=bad).exists():
            break
        sealed = _seal_batch(bad)
        if sealed is None:
            break
        total += sealed
    return total


class _Pace:
    """When this process may next seal inside a caller's time, on the monotonic clock."""

    not_before = 0.0


def seal_after_commit() -> None:
    """Seal what is pending, unless this process just did; never raises into the caller, whose act is already committed.

    At rest every act is sealed at once. Under load one act in each quarter of a second pays for all others of that time, and what
    comes after the last one waits for the sweep, at most a few seconds.
    """
    if time.monotonic() < _Pace.not_before:
        return
    _Pace.not_before = time.monotonic() + PACE_SECONDS
    try:
        seal()
    except Exception:
        log.exception("sealing failed; the sweep will do it")


def _seal_batch(bad: set[int]) -> int | None:
    """Seal one batch and give how many; what is not genuine is added to ``bad``. None when another sealer holds the lock."""
    ring = keyring()
    with transaction.atomic():
        head = _lock_global_head()
        if head is None:
            return None
        batch = list(pending().exclude(position__in=bad)[:BATCH])
        good = [event for event in batch if _is_genuine(ring, event)]
        bad.update({event.position for event in batch} - {event.position for event in good})
        heads = _lock_tenant_heads({event.tenant_id for event in good if event.tenant_id})
        for event in good:
            _link(ring, event, head, heads.get(event.tenant_id or ""))
        if good:
            _write_places(good)
            _write_heads([head, *heads.values()])
    return len(good)


def _is_genuine(ring: Keyring, event: AuditEvent) -> bool:
    try:
        if same(entry_code(ring, content_of(event)), event.entry_mac):
            return True
    except UnknownKeyError:
        pass
    log.critical("a pending audit event does not carry its own code and is not sealed", extra={"audit_id": event.public_id})
    return False


def _lock_global_head() -> AuditHead | None:
    """The head row, locked; None when another sealer has it. SQLite has no row locks: its IMMEDIATE transaction waits instead."""
    skips = connection.features.has_select_for_update_skip_locked
    found = AuditHead.objects.select_for_update(skip_locked=skips).filter(chain=GLOBAL_CHAIN).first()
    if found is None and not AuditHead.objects.filter(chain=GLOBAL_CHAIN).exists():
        AuditHead.objects.bulk_create([AuditHead(chain=GLOBAL_CHAIN)], ignore_conflicts=True)
        found = AuditHead.objects.select_for_update(skip_locked=skips).filter(chain=GLOBAL_CHAIN).first()
    return found


def _lock_tenant_heads(tenants: set[str]) -> dict[str, AuditHead]:
    """The heads of these tenants, locked in order; made where there was none. Only a sealer makes heads, and there is one."""
    locked = {head.chain: head for head in AuditHead.objects.select_for_update().filter(chain__in=tenants).order_by("chain")}
    new = [AuditHead(chain=tenant) for tenant in sorted(tenants - set(locked))]
    AuditHead.objects.bulk_create(new)
    return locked | {head.chain: head for head in new}


def _link(ring: Keyring, event: AuditEvent, head: AuditHead, tenant_head: AuditHead | None) -> None:
    """Give one event its place behind both heads, and move the heads; in memory."""
    if tenant_head is not None:
        event.tenant_sequence, event.tenant_previous_hash = tenant_head.sequence + 1, tenant_head.hash
        event.tenant_hash = tenant_hash(
            ring,
            event.key_id,
            tenant_id=tenant_head.chain,
            sequence=event.tenant_sequence,
            previous=tenant_head.hash,
            code=event.entry_mac,
        )
        tenant_head.sequence, tenant_head.hash = event.tenant_sequence, event.tenant_hash
    event.sequence, event.previous_hash = head.sequence + 1, head.hash
    event.hash = global_hash(ring, event.key_id, place=place_of(event, number=event.sequence), code=event.entry_mac)
    head.sequence, head.hash = event.sequence, event.hash


def _write_places(events: list[AuditEvent]) -> None:
    """The one change that an event ever sees; the triggers let it pass once. One statement for the batch: by the ORM it is four times dearer."""
    columns = (*SEAL, "position")
    statement = f"UPDATE {EVENTS} SET {', '.join(f'{name} = %s' for name in SEAL)} WHERE position = %s AND sequence IS NULL"  # noqa: S608  # no input
    with connection.cursor() as cursor:
        cursor.executemany(statement, [[getattr(event, name) for name in columns] for event in events])
        if cursor.rowcount != len(events):
            raise RuntimeError("another sealer placed some of these events; this batch is rolled back")


def _write_heads(heads: list[AuditHead]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {HEADS} SET sequence = %s, hash = %s WHERE chain = %s",  # noqa: S608  # no input
            [[head.sequence, head.hash, head.chain] for head in heads],
        )
