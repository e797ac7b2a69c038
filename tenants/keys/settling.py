"""What is written down when a key's secret was read back: settled, or lost. Each holds only while the claim and the generation do."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from core.actors import system
from core.audit.services import record
from core.outbox.services import publish
from tenants.keys import claims, endings
from tenants.keys.claims import Hold
from tenants.keys.models import KeyVersion, Stage, StoreState

CLOCK = system("keys")


def record_settled(hold: Hold) -> str | None:
    """Write *settled* if nothing has changed since the rows were read; None when something has, or the claim is gone.

    It is *empty* instead for a key of which only a digest is known, and stays *unsettled* while the maker of a version that has ended may
    still be at work: what it puts into the store is found by a last look when its claim has run out.

    The overlap of a previous version begins here: whoever asks the store gets the successor from now on, and the predecessor's time
    runs. With an overlap of nothing it is retired at once, which the store has to follow in its turn.
    """
    now = timezone.now()
    state, again_at = StoreState.SETTLED if hold.wanted or not hold.key.is_living else StoreState.EMPTY, None
    if hold.again_at is not None and hold.again_at > now:
        state, again_at = StoreState.UNSETTLED, hold.again_at
    columns = {"store_state": state, "store_settled_at": now, "store_due_at": again_at, "store_failures": 0, "store_error": ""}
    if not hold.is_switching:
        if not claims.record(hold, **columns):
            return None
        hold.key.store_state, hold.key.store_settled_at = state, now
        return state
    with transaction.atomic():
        # The row is the caller's from here to the commit, so that nobody settles it between this and what the overlap's end asks for.
        if not claims.record(hold, **columns):
            return None
        if _begin_overlap(hold, now):
            return None
    hold.key.store_state, hold.key.store_settled_at = state, now
    return state


def record_loss(hold: Hold) -> str:
    """Write *lost*: the current version is gone from the store, and its text is known to nobody. The key goes on verifying; rotating it mends it."""
    key = hold.key
    with transaction.atomic():
        if not claims.record(hold, store_state=StoreState.LOST, store_due_at=None):
            return claims.release(hold)
        details = {"name": key.name}
        record(action="key.store_lost", actor=CLOCK, target=key.pk, tenant_id=key.tenant_id, outcome="failed", details=details)
        publish(type="key.store_lost", subject=key.pk, tenant_id=key.tenant_id, data={"key": key.pk, **details})
    return StoreState.LOST


def _begin_overlap(hold: Hold, now: datetime) -> bool:
    """Set the exact end of an overlap whose version has just been switched; True when that retired it, so that the store must follow."""
    version = (
        KeyVersion.objects.select_for_update().filter(key_id=hold.key.pk, stage=Stage.PREVIOUS, switched_at__isnull=True).first()
    )
    if version is None:
        return False
    version.key = hold.key
    overlap = timedelta(seconds=version.overlap_seconds or 0)
    version.switched_at = now
    version.retires_at = min(version.retires_at or version.expires_at, version.expires_at, now + overlap)
    version.save(update_fields=["switched_at", "retires_at"])
    if overlap:
        return False
    endings.retire(version, because="rotated", actor=CLOCK)
    claims.hold_on(hold)
    return True
