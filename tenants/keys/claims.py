"""Who may settle a key's secret: a claim that runs out, and a number that fences off whoever overslept.

The row says *unsettled* from the commit of a change until the store was read back as it should be; that is what makes the change durable,
and the queue needs to hold nothing.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F, Q
from django.utils import timezone

from tenants.keys.models import ApiKey, StoreState

CLAIM_LASTS = timedelta(seconds=120)
"""Longer than the calls of one convergence together, which have time-outs of 15 s."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 2, 600


def unsettle(key: ApiKey) -> None:
    """Say that the store must follow a change of this key. Call it in the transaction that makes the change."""
    ApiKey.objects.filter(pk=key.pk).update(
        store_state=StoreState.UNSETTLED,
        store_generation=F("store_generation") + 1,
        store_due_at=timezone.now(),
        store_failures=0,
        store_error="",
    )
    key.store_state = StoreState.UNSETTLED


def look_again(tenant_id: str) -> int:
    """Have all of a tenant's keys read back by the clock, as when the tenant itself is; gives how many. What is lost stays known as lost."""
    mine = ApiKey.objects.filter(tenant_id=tenant_id, store_state=StoreState.SETTLED, ended_at__isnull=True)
    return mine.update(store_state=StoreState.UNSETTLED, store_due_at=timezone.now())


def take(key_id: str) -> int | None:
    """Claim a key's secret and give the claim's number; None when there is nothing to settle or somebody else is at it."""
    now = timezone.now()
    free = Q(store_claimed_until__isnull=True) | Q(store_claimed_until__lte=now)
    taken = ApiKey.objects.filter(free, pk=key_id, store_state=StoreState.UNSETTLED).update(
        store_claim=F("store_claim") + 1, store_claimed_until=now + CLAIM_LASTS
    )
    return ApiKey.objects.values_list("store_claim", flat=True).get(pk=key_id) if taken else None


def holds(key_id: str, claim: int) -> bool:
    """Say whether a claim still stands."""
    return ApiKey.objects.filter(pk=key_id, store_claim=claim, store_claimed_until__gt=timezone.now()).exists()


def renew(key_id: str, claim: int) -> None:
    """Hold a claim for its full time again."""
    ApiKey.objects.filter(pk=key_id, store_claim=claim).update(store_claimed_until=timezone.now() + CLAIM_LASTS)


def release(key: ApiKey, claim: int) -> str:
    """Let go of a key that is not to be settled now; the clock comes back to it."""
    ApiKey.objects.filter(pk=key.pk, store_claim=claim).update(store_claimed_until=None)
    return StoreState.UNSETTLED


def overslept(key_id: str) -> str:
    """Have a key looked at again: what was done after a claim had run out may have come after its successor's last look."""
    ApiKey.objects.filter(pk=key_id).update(
        store_state=StoreState.UNSETTLED, store_generation=F("store_generation") + 1, store_due_at=timezone.now()
    )
    return StoreState.UNSETTLED


def postpone(key: ApiKey, claim: int, error_code: str) -> None:
    """Let the clock try again after a pause that doubles from 2 s to 10 min. What fails stays visible on the key."""
    failures = key.store_failures + 1
    pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 16))
    held = ApiKey.objects.filter(pk=key.pk, store_claim=claim).update(
        store_claimed_until=None,
        store_due_at=timezone.now() + timedelta(seconds=pause),
        store_failures=failures,
        store_error=error_code[:100],
    )
    if not held:
        overslept(key.pk)
