"""Who may settle a key's secret: a claim that runs out, and a number that fences off whoever overslept.

The row says *unsettled* from the commit of a change until the store was read back as it should be; that is what makes the change durable,
and the queue needs to hold nothing. ``store_generation`` counts the changes, so that nobody writes *settled* for what is out of date.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q
from django.utils import timezone

from core.statements import Update
from tenants.keys import staging
from tenants.keys.models import Algorithm, ApiKey, KeyVersion, Stage, StoreState

CLAIM_LASTS = timedelta(seconds=120)
"""Longer than the calls of one convergence together, which have time-outs of 15 s."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 2, 600
_update_held = Update(ApiKey, "id", "store_claim")
_update_current = Update(ApiKey, "id", "store_claim", "store_generation")


@dataclass(slots=True)
class Hold:
    """The right to settle one key's secret until ``until``, and what its rows wanted when they were last read.

    ``wanted`` is the version id that should bear each stage; ``is_switching`` says that a predecessor waits for its overlap to begin.
    ``again_at`` is when the store is to be looked at once more, because the maker of a version that has ended may be at work until then.
    """

    key: ApiKey
    claim: int
    until: datetime
    generation: int
    wanted: dict[str, str]
    is_switching: bool
    again_at: datetime | None = None

    @property
    def has_run_out(self) -> bool:
        """Whether somebody else may hold it by now."""
        return timezone.now() >= self.until


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


def unsettle_and_take(key: ApiKey, now: datetime) -> tuple[dict[str, Any], bool]:
    """Give the columns that unsettle a key whose row the caller holds, and claim it in the same statement if it is free; whether it was.

    Somebody else's claim is left to them: they will find that the generation has moved on, and read the rows again.
    """
    is_free = key.store_claimed_until is None or key.store_claimed_until <= now
    columns: dict[str, Any] = {
        "store_state": StoreState.UNSETTLED,
        "store_generation": key.store_generation + 1,
        "store_due_at": now,
        "store_failures": 0,
        "store_error": "",
    }
    if is_free:
        columns |= {"store_claim": key.store_claim + 1, "store_claimed_until": now + CLAIM_LASTS}
    return columns, is_free


def look_again(tenant_id: str) -> int:
    """Have all of a tenant's keys read back by the clock, as when the tenant itself is; gives how many. What is lost stays known as lost."""
    mine = ApiKey.objects.filter(tenant_id=tenant_id, store_state=StoreState.SETTLED, ended_at__isnull=True)
    return mine.update(store_state=StoreState.UNSETTLED, store_due_at=timezone.now())


def take(key_id: str) -> Hold | None:
    """Claim a key's secret; None when there is nothing to settle or somebody else is at it."""
    now = timezone.now()
    key = ApiKey.objects.select_related("tenant__tier", "tenant__cell").get(pk=key_id)
    free = Q(store_claimed_until__isnull=True) | Q(store_claimed_until__lte=now)
    mine = ApiKey.objects.filter(free, pk=key_id, store_state=StoreState.UNSETTLED, store_claim=key.store_claim)
    claim, until = key.store_claim + 1, now + CLAIM_LASTS
    if not mine.update(store_claim=claim, store_claimed_until=until):
        return None
    return _read(Hold(key, claim, until, key.store_generation, {}, is_switching=False))


def read_again(hold: Hold) -> bool:
    """Read what the rows want now, and hold the claim for its full time again; False when it is somebody else's."""
    if hold.has_run_out or not hold_on(hold):
        return False
    hold.key.refresh_from_db(fields=["state", "store_generation"])
    hold.generation = hold.key.store_generation
    _read(hold)
    return True


def hold_on(hold: Hold) -> bool:
    """Hold a claim for its full time from now; False when it is somebody else's."""
    hold.until = timezone.now() + CLAIM_LASTS
    return bool(_update_held(hold.key.pk, hold.claim, store_claimed_until=hold.until))


def record(hold: Hold, **columns: Any) -> bool:
    """Write how the store stands and let go, if the claim still stands and nothing has changed since the rows were read; whether it did."""
    return bool(_update_current(hold.key.pk, hold.claim, hold.generation, store_claimed_until=None, **columns))


def release(hold: Hold) -> str:
    """Let go of a key that is not settled yet; the clock comes back to it."""
    if not _update_held(hold.key.pk, hold.claim, store_claimed_until=None):
        return overslept(hold)
    return StoreState.UNSETTLED


def overslept(hold: Hold) -> str:
    """Have a key looked at again: what was done after a claim had run out may have come after its successor's last look."""
    ApiKey.objects.filter(pk=hold.key.pk).update(
        store_state=StoreState.UNSETTLED, store_generation=F("store_generation") + 1, store_due_at=timezone.now()
    )
    return StoreState.UNSETTLED


def postpone(hold: Hold, error_code: str) -> str:
    """Let the clock try again after a pause that doubles from 2 s to 10 min. What fails stays visible on the key."""
    failures = hold.key.store_failures + 1
    pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 16))
    held = _update_held(
        hold.key.pk,
        hold.claim,
        store_claimed_until=None,
        store_due_at=timezone.now() + timedelta(seconds=pause),
        store_failures=failures,
        store_error=error_code[:100],
    )
    return StoreState.UNSETTLED if held else overslept(hold)


def that_matter(now: datetime) -> Q:
    """The versions that the store hangs on: the open ones, and those that have ended before their makers were done."""
    return Q(stage__in=staging.STAGE_OF) | Q(stage=Stage.RETIRED, claimed_until__gt=now)


def latest_maker(versions: Iterable[KeyVersion]) -> datetime | None:
    """Until when the maker of one of these versions that has ended may be at work; None when there is none such."""
    return max((row.claimed_until for row in versions if row.stage == Stage.RETIRED and row.claimed_until), default=None)


def _read(hold: Hold) -> Hold:
    """Fill in what the versions' rows want. The generation was read before them, so a change in between is noticed when it is recorded."""
    rows = list(KeyVersion.objects.filter(that_matter(timezone.now()), key_id=hold.key.pk))
    hold.wanted = staging.wanted_stages((row.pk, row.stage) for row in rows if row.algorithm == Algorithm.OURS)
    hold.is_switching = any(row.stage == Stage.PREVIOUS and row.switched_at is None for row in rows)
    hold.again_at = latest_maker(rows)
    return hold
