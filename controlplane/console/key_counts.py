"""Numbers about keys that the overview and a tenant's page show. Reads only, in a fixed number of queries.

Each number of the overview stops at CAP: beyond that the list with its filters is the place to look.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from tenants.keys.models import NEVER_GIVEN, ApiKey, KeyState, KeyVersion, Stage, StoreState
from tenants.keys.words import SOON

CAP = 1_000
PATIENCE = timedelta(minutes=1)
"""How long a store may stay unsettled before an operator is told: a commit and the calls after it take a second."""
FAILURES_OF_PATIENCE = 5
"""After so many failures in a row the pauses between the tries are a minute together (``tenants.keys.claims``)."""


@dataclass(frozen=True, slots=True)
class KeyTrouble:
    """What the overview says of keys. ``leaked`` are those whose containment is still owed, ``unsettled`` those beyond PATIENCE."""

    expiring: int
    leaked: int
    lost: int
    unsettled: int

    @property
    def urgent(self) -> int:
        """How many need somebody today."""
        return self.leaked + self.lost + self.unsettled


def trouble() -> KeyTrouble:
    """Count what needs an operator; four queries. Three go by partial indexes, the fourth (lost) reads the living keys."""
    now = timezone.now()
    expiring = KeyVersion.objects.filter(
        stage=Stage.CURRENT, expires_at__gt=now, expires_at__lte=now + SOON, key__state=KeyState.ACTIVE
    )
    owed = ApiKey.objects.filter(rotate_due_at__isnull=False, leaked_at__isnull=False)
    lost = ApiKey.objects.filter(store_state=StoreState.LOST, ended_at__isnull=True)
    return KeyTrouble(_capped(expiring), _capped(owed), _capped(lost), _capped(long_unsettled()))


def long_unsettled() -> QuerySet[ApiKey]:
    """Give the keys whose store has not followed for longer than PATIENCE."""
    overdue = Q(store_due_at__lte=timezone.now() - PATIENCE) | Q(store_failures__gte=FAILURES_OF_PATIENCE)
    return ApiKey.objects.filter(overdue, store_state=StoreState.UNSETTLED).exclude(state=KeyState.ISSUING)


def is_long_unsettled(key: ApiKey) -> bool:
    """Say the same of one key."""
    overdue = key.store_due_at is not None and key.store_due_at <= timezone.now() - PATIENCE
    return key.store_state == StoreState.UNSETTLED and (overdue or key.store_failures >= FAILURES_OF_PATIENCE)


def by_state(tenant_id: str) -> dict[str, int]:
    """Count a tenant's keys by the state that people are shown, in the order of a key's life; states without keys are left out."""
    over = Exists(KeyVersion.objects.filter(key=OuterRef("pk"), stage=Stage.CURRENT, expires_at__lte=timezone.now()))
    rows = ApiKey.objects.filter(tenant_id=tenant_id).exclude(state__in=NEVER_GIVEN).annotate(is_over=over)
    found: dict[str, int] = {}
    for state, is_over, number in rows.values_list("state", "is_over").annotate(number=Count("pk")).order_by():
        shown = KeyState.EXPIRED.value if is_over and state in (KeyState.ACTIVE, KeyState.DISABLED) else state
        found[shown] = found.get(shown, 0) + number
    return {state: found[state] for state in KeyState.values if state in found}


def _capped(rows: QuerySet[ApiKey] | QuerySet[KeyVersion]) -> int:
    return int(rows.order_by()[:CAP].count())
