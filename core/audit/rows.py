"""Between rows and arithmetic: what a row says in the terms of ``core.audit.chain``, and the keys from the settings."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from core.audit.chain import Content, Keyring, Place, timestamp
from core.audit.models import AuditEvent


def keyring() -> Keyring:
    """The ring of ``settings.AUDIT_KEY`` and, where a key was rotated, ``settings.AUDIT_RETIRED_KEYS``."""
    return _ring(bytes(settings.AUDIT_KEY), tuple(bytes(key) for key in getattr(settings, "AUDIT_RETIRED_KEYS", ())))


@lru_cache(maxsize=8)
def _ring(current: bytes, retired: tuple[bytes, ...]) -> Keyring:
    return Keyring(current, retired)


def content_of(event: AuditEvent) -> Content:
    """What the entry code covers."""
    return Content(
        id=event.public_id,
        recorded_at=timestamp(event.recorded_at),
        actor_kind=event.actor_kind,
        actor_id=event.actor_id,
        actor_label=event.actor_label,
        action=event.action,
        target=event.target,
        tenant_id=event.tenant_id,
        reason=event.reason,
        outcome=event.outcome,
        details_json=event.details_json,
        correlation_id=event.correlation_id,
        key_id=event.key_id,
    )


def place_of(event: AuditEvent, *, number: int) -> Place:
    """What the hash covers beside the entry code, were the event number ``number`` of the global chain."""
    return Place(
        position=event.position,
        tenant_sequence=event.tenant_sequence,
        tenant_previous_hash=event.tenant_previous_hash,
        tenant_hash=event.tenant_hash,
        sequence=number,
        previous_hash=event.previous_hash,
    )
