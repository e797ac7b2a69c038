"""Saying what is wrong with an entry, once something is. Slow paths are fine here: they run once, at the first fault."""

from __future__ import annotations

from core.audit.chain import Keyring, UnknownKeyError, entry_code, same
from core.audit.faults import Fault, FaultKind
from core.audit.links import Chain
from core.audit.models import AuditEvent
from core.audit.rows import content_of


def check(ring: Keyring, chain: Chain, event: AuditEvent, *, number: int, previous: str, last: int) -> Fault | None:
    """Hold one entry against its place: None when its content, its seal and its link to ``previous`` all hold.

    ``last`` bounds the search for the true place of an entry that was moved.
    """
    try:
        code = entry_code(ring, content_of(event))
        sealed = same(chain.compute(ring, event, code=code, number=number), chain.hash(event))
    except UnknownKeyError:
        return _unknown_key(ring, event, number)
    genuine = same(code, event.entry_mac)
    if sealed and genuine:
        return _link_fault(chain, event, number, previous)
    if sealed:
        return _fault(event, number, FaultKind.CHANGED, "its stored entry code was changed")
    if not genuine and same(chain.compute(ring, event, code=event.entry_mac, number=number), chain.hash(event)):
        return _fault(event, number, FaultKind.CHANGED, "what it says is not what was recorded")
    if not genuine:
        return _changed_key(ring, event, number) or _fault(
            event, number, FaultKind.INSERTED, "neither its content nor its seal was written with the audit key"
        )
    origin = next((n for n in range(1, last + 1) if same(chain.compute(ring, event, code=code, number=n), chain.hash(event))), None)
    if origin is not None:
        return _fault(event, number, FaultKind.REORDERED, f"it was sealed as number {origin}")
    return _fault(event, number, FaultKind.CHANGED, "its content is as recorded, and its seal was changed")


def gap(ring: Keyring, chain: Chain, *, number: int, previous: str, at_end: bool) -> Fault:
    """Say why there is no entry ``number``: it was moved, given to another tenant, deleted, or cut off with all after it."""
    strays = AuditEvent.objects.filter(**{chain.previous_field: previous}).exclude(**{chain.hash_field: ""})
    for event in strays.iterator():
        if not _was_sealed_as(ring, chain, event, number):
            continue
        if not chain.owns(event):
            return _fault(
                event, number, FaultKind.CHANGED, f"it was recorded for {chain.name} and now says {event.tenant_id or 'no tenant'}"
            )
        stands_at = getattr(event, chain.number_field)
        return _fault(event, number, FaultKind.REORDERED, f"it was sealed as number {number} and now says {stands_at or 'nothing'}")
    if at_end:
        return Fault(number, "", FaultKind.TRUNCATED, f"the chain was longer: entry {number} and all after it are gone")
    return Fault(number, "", FaultKind.MISSING, f"entry {number} is gone; there are entries after it")


def pending_fault(ring: Keyring, event: AuditEvent) -> Fault | None:
    """Hold an entry that waits for its seal against its own code."""
    try:
        if same(entry_code(ring, content_of(event)), event.entry_mac):
            return None
    except UnknownKeyError:
        pass
    return Fault(
        None,
        event.public_id,
        FaultKind.CHANGED,
        "it waits for its seal and does not carry its own code: changed since it was recorded, or forged",
    )


def _was_sealed_as(ring: Keyring, chain: Chain, event: AuditEvent, number: int) -> bool:
    try:
        return same(chain.compute(ring, event, code=event.entry_mac, number=number), chain.hash(event))
    except UnknownKeyError:
        return False


def _link_fault(chain: Chain, event: AuditEvent, number: int, previous: str) -> Fault | None:
    if same(chain.previous(event), previous):
        return None
    return _fault(
        event, number, FaultKind.REORDERED, "it is genuine and was sealed behind another entry than the one that stands before it"
    )


def _changed_key(ring: Keyring, event: AuditEvent, number: int) -> Fault | None:
    """Whether the entry is as recorded but for the name of its key."""
    for name in ring:
        if same(entry_code(ring, content_of(event)._replace(key_id=name)), event.entry_mac):
            return _fault(event, number, FaultKind.CHANGED, "the name of its key was changed")
    return None


def _unknown_key(ring: Keyring, event: AuditEvent, number: int) -> Fault:
    return _changed_key(ring, event, number) or _fault(
        event, number, FaultKind.CHANGED, f"it names the key {event.key_id}, which is neither AUDIT_KEY nor a retired one"
    )


def _fault(event: AuditEvent, number: int, kind: FaultKind, explanation: str) -> Fault:
    return Fault(number, event.public_id, kind, explanation)
