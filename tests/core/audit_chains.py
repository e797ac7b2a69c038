"""A chain to tamper with: how tests write events, get behind the triggers, and read rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models, transaction

from core.actors import operator, system
from core.audit import triggers
from core.audit.models import AuditEvent, AuditHead
from core.audit.sealing import seal
from core.audit.services import record

ACME, GLOBEX = "tnt_01j9zc3v5m8k2q4r6t8w0y1a3b", "tnt_01j9zc3v5m8k2q4r6t8w0y1a3c"
LENGTH = 9


def write(count: int = LENGTH) -> list[AuditEvent]:
    """Record and seal events: acme, globex and nobody in turn."""
    for number in range(count):
        with transaction.atomic():
            record(
                action="tenant.suspended",
                actor=operator("ada", "Ada") if number % 2 else system("sweep"),
                target=f"tenant {number}",
                tenant_id=(ACME, GLOBEX, None)[number % 3],
                reason=f"unpaid, {number}",
                details={"number": number, "nested": {"ü": [1, 2.5, None]}},
                correlation_id=f"req_{number}",
            )
    seal()
    return stored()


def stored() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(sequence__isnull=False).order_by("sequence"))


def rows() -> models.QuerySet[AuditEvent]:
    """What an attacker writes through: no model, no guard."""
    return models.QuerySet(AuditEvent)


@contextmanager
def behind_the_triggers() -> Iterator[None]:
    """As somebody who may alter tables."""
    triggers.remove(connection)
    try:
        yield
    finally:
        triggers.install(connection)


def tamper(event: AuditEvent, **changes: Any) -> None:
    with behind_the_triggers():
        assert rows().filter(pk=event.pk).update(**changes) == 1


def delete(*events: AuditEvent) -> None:
    with behind_the_triggers():
        query = rows().filter(pk__in=[event.pk for event in events])
        assert query._raw_delete(query.db) == len(events)  # the collector would call the guarded manager


def set_head(chain: str, **changes: Any) -> None:
    with behind_the_triggers():
        AuditHead.objects.filter(chain=chain).update(**changes)
