"""What is written down when a key's secret was read back: settled, or lost. Each holds only while the claim and the generation do."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from core.actors import system
from core.audit.services import record
from core.outbox.services import publish
from tenants.keys import claims, endings
from tenants.keys.models import ApiKey, KeyVersion, Stage, StoreState

CLOCK = system("keys")


def record_settled(key: ApiKey, claim: int, *, is_stored: bool) -> str | None:
    """Write *settled* if nothing has changed since the rows were read; None when something has, or the claim is gone.

    It is *empty* instead for a key of which only a digest is known (``is_stored`` False).

    The overlap of a previous version begins here: whoever asks the store gets the successor from now on, and the predecessor's time
    runs. With an overlap of nothing it is retired at once, which the store has to follow in its turn.
    """
    now = timezone.now()
    with transaction.atomic():
        mine = ApiKey.objects.filter(pk=key.pk, store_claim=claim, store_generation=key.store_generation)
        if not mine.update(
            store_state=StoreState.SETTLED if is_stored else StoreState.EMPTY,
            store_claimed_until=None,
            store_settled_at=now,
            store_due_at=None,
            store_failures=0,
            store_error="",
        ):
            return None
        if _begin_overlap(key):
            claims.renew(key.pk, claim)
            return None
    return StoreState.SETTLED if is_stored else StoreState.EMPTY


def record_loss(key: ApiKey, claim: int) -> str:
    """Write *lost*: the current version is gone from the store, and its text is known to nobody. The key goes on verifying; rotating it mends it."""
    with transaction.atomic():
        lost = ApiKey.objects.filter(pk=key.pk, store_claim=claim, store_generation=key.store_generation).update(
            store_state=StoreState.LOST, store_claimed_until=None, store_due_at=None
        )
        if not lost:
            return StoreState.UNSETTLED
        details = {"name": key.name}
        record(action="key.store_lost", actor=CLOCK, target=key.pk, tenant_id=key.tenant_id, outcome="failed", details=details)
        publish(type="key.store_lost", subject=key.pk, tenant_id=key.tenant_id, data={"key": key.pk, **details})
    return StoreState.LOST


def _begin_overlap(key: ApiKey) -> bool:
    """Set the exact end of an overlap whose version has just been switched; True when that retired it, so that the store must follow."""
    now = timezone.now()
    version = KeyVersion.objects.select_for_update().filter(key=key, stage=Stage.PREVIOUS, switched_at__isnull=True).first()
    if version is None:
        return False
    overlap = timedelta(seconds=version.overlap_seconds or 0)
    version.switched_at = now
    version.retires_at = min(version.retires_at or version.expires_at, version.expires_at, now + overlap)
    version.save(update_fields=["switched_at", "retires_at"])
    if overlap:
        return False
    endings.retire(version, because="rotated", actor=CLOCK)
    return True
