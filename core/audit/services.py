"""Writing to the audit log: one function."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils import timezone

from core.actors import Actor
from core.audit.chain import canonical, entry_code
from core.audit.models import AuditEvent
from core.audit.rows import content_of, keyring
from core.audit.sealing import seal_after_commit
from core.audit.secrets import refuse_secrets

log = logging.getLogger("core.audit")
_ACTION = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_OUTCOME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
REASON_LIMIT = 4000


def record(
    *,
    action: str,
    actor: Actor,
    target: str,
    tenant_id: str | None = None,
    reason: str = "",
    outcome: str = "succeeded",
    details: Mapping[str, Any] | None = None,
    correlation_id: str = "",
) -> AuditEvent:
    """Write an event into the caller's transaction, so that it stands if and only if the act does; it is sealed right after commit.

    It takes no lock that another transaction could wait for: call it anywhere in a transaction, as often as needed. ``action`` is
    ``noun.participle``; ``reason`` is cut at 4,000 characters. Raises TransactionManagementError outside a transaction,
    SecretInDetailsError when ``details`` look like a secret, ValueError or TypeError when an argument cannot be recorded.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("An audit event belongs into the transaction of the act that it tells of.")
    if not _ACTION.fullmatch(action) or not _OUTCOME.fullmatch(outcome):
        raise ValueError(f"not an action and an outcome: {action!r}, {outcome!r}")
    refuse_secrets(details or {})
    ring = keyring()
    event = AuditEvent(
        recorded_at=timezone.now(),
        actor_kind=actor.kind.value,
        actor_id=_text(actor.id, 255),
        actor_label=_text(actor.label, 255),
        action=_fits(action, 100),
        target=_fits(_text(target), 512),
        tenant_id=tenant_id or None,
        reason=_text(reason, REASON_LIMIT),
        outcome=outcome,
        details_json=canonical(json.loads(json.dumps(details or {}, cls=DjangoJSONEncoder, allow_nan=False))),
        correlation_id=_text(correlation_id, 128),
        key_id=ring.current_id,
    )
    event.entry_mac = entry_code(ring, content_of(event))
    event.save()
    transaction.on_commit(partial(_announce, event), robust=True)
    transaction.on_commit(seal_after_commit, robust=True)
    return event


def _announce(event: AuditEvent) -> None:
    """Tell the log stream, a witness outside the database, before the event is sealed."""
    log.info("audit event recorded", extra={"audit_id": event.public_id, "action": event.action, "entry_mac": event.entry_mac})


def _text(value: str, limit: int | None = None) -> str:
    """Text that both databases can keep: no NUL, no lone surrogates."""
    return value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")[:limit]


def _fits(value: str, limit: int) -> str:
    if not value or len(value) > limit:
        raise ValueError(f"must have 1 to {limit} characters, has {len(value)}")
    return value
