"""Keys as rows, in every condition that a page shows, without AWS: for lists, pages and pictures. Acts are tested with the real store."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import time_machine
from django.db import transaction
from django.utils import timezone

from core.actors import operator
from tenants.keys import tokens
from tenants.keys.endings import tell
from tenants.keys.models import ApiKey, KeyDay, KeyUse, KeyVersion, TenantHour
from tenants.models import Tenant

DAY = timedelta(days=1)


def made_up_key(tenant: Tenant, name: str = "ingest", *, versions: tuple[dict[str, Any], ...] = ({},), **values: Any) -> ApiKey:
    """A key with versions, oldest first; the last is current unless it says otherwise. ``values`` go to the key's row."""
    now = timezone.now()
    defaults: dict[str, Any] = {
        "tenant": tenant,
        "public_id": tokens.new_public_id(),
        "brand": "cpk",
        "environment": "live",
        "name": name,
        "scopes": ["events:write"],
        "state": "active",
        "created_by": "operator:olga",
        "created_at": now - 100 * DAY,
        "store_state": "settled",
        "store_settled_at": now - DAY,
    }
    key = ApiKey.objects.create(**{**defaults, **values})
    for number, version in enumerate(versions, start=1):
        made_up_version(key, number, **{"stage": "current" if number == len(versions) else "retired", **version})
    return key


def made_up_version(key: ApiKey, number: int, **values: Any) -> KeyVersion:
    """A version of a key; what its stage needs is filled in."""
    now = timezone.now()
    digest = hashlib.sha256(f"{key.pk} {number}".encode()).hexdigest()
    defaults: dict[str, Any] = {
        "pepper_id": 1,
        "digest": digest,
        "last_four": digest[:4],
        "created_by": "operator:olga",
        "issued_at": now - (60 - number) * DAY,
        "expires_at": now + (100 + number) * DAY,
        "promoted_at": now - (60 - number) * DAY,
    }
    stage = values.get("stage")
    if stage == "previous":
        defaults |= {"retires_at": now + timedelta(hours=2, minutes=14), "switched_at": now - DAY, "overlap_seconds": 86_400}
    if stage == "retired":
        defaults |= {"retired_at": now - 20 * DAY, "retired_because": "overlap-over"}
    return KeyVersion.objects.create(key=key, number=number, **{**defaults, **values})


def use(version: KeyVersion, calls: list[int], *, address: str = "192.0.2.17", minutes_ago: float = 3) -> None:
    """Have a version called so often in each of the last hours, the oldest first."""
    now = timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    counted = {hour - timedelta(hours=ago): number for ago, number in enumerate(reversed(calls)) if number}
    KeyUse.objects.bulk_create(KeyUse(version=version, hour=at, calls=number) for at, number in counted.items())
    _add_up(version.key, counted)
    KeyVersion.objects.filter(pk=version.pk).update(last_used_at=now - timedelta(minutes=minutes_ago), last_used_from=address)


def _add_up(key: ApiKey, counted: dict[datetime, int]) -> None:
    """As ``evidence.note_uses`` does for each call, in a few statements for all of them."""
    days = Counter(dict(KeyDay.objects.filter(key=key).values_list("day", "calls")))
    for at, number in counted.items():
        days[at.date()] += number
    hours = Counter(dict(TenantHour.objects.filter(tenant=key.tenant).values_list("hour", "calls")))
    hours.update(counted)
    again = {"update_conflicts": True, "update_fields": ["calls"]}
    of_days = (KeyDay(key=key, tenant=key.tenant, day=day, calls=number) for day, number in days.items())
    KeyDay.objects.bulk_create(of_days, unique_fields=["key", "day"], **again)
    of_hours = (TenantHour(tenant=key.tenant, hour=at, calls=number) for at, number in hours.items())
    TenantHour.objects.bulk_create(of_hours, unique_fields=["tenant", "hour"], **again)


def happened(key: ApiKey, what: str, reason: str, at: datetime) -> None:
    """Have something written to the audit log, at a time."""
    with time_machine.travel(at), transaction.atomic():
        tell(key, what, operator("martin", "Martin Osei"), reason, {})


def fill_keys(tenants: list[Tenant]) -> dict[str, ApiKey]:
    """Fill the console with keys in every condition; gives those that stories are told about, by role."""
    now = timezone.now()
    dice = random.Random(7)
    first, second, third, *rest = tenants
    rotating = made_up_key(
        first,
        "Ingest, course player",
        versions=({}, {"stage": "previous", "retire_when_quiet": True}, {}),
        cidrs=["203.0.113.0/24", "2001:db8:17::/48"],
        scopes=["events:write", "jobs:read"],
        rotate_every_days=60,
        metadata={"team": "platform", "service": "player"},
    )
    for days, what, reason in (
        (58, "key.issued", ""),
        (57, "key.rotated", "Quarterly rotation, CT-118"),
        (1, "key.rotated", "Its holder left"),
    ):
        happened(rotating, what, reason, now - days * DAY)
    old, new = rotating.versions.get(number=2), rotating.versions.get(number=3)
    use(old, [dice.randint(900, 1400) if hour < 13 else max(0, 900 - 90 * (hour - 12)) for hour in range(24)], minutes_ago=41)
    use(new, [0 if hour < 13 else 110 * (hour - 12) for hour in range(24)], address="203.0.113.40", minutes_ago=0.4)
    roles = {
        "rotating": rotating,
        "lost": made_up_key(second, "Nightly export", store_state="lost"),
        "leaked": made_up_key(
            second, "Mobile app", leaked_at=now - timedelta(minutes=9), rotate_due_at=now - timedelta(minutes=9), environment="test"
        ),
        "behind": made_up_key(
            third,
            "Grade book sync",
            store_state="unsettled",
            store_due_at=now + timedelta(minutes=4),
            store_failures=9,
            store_error="AccessDeniedException",
        ),
        "soon": made_up_key(third, "Reporting", versions=({"expires_at": now + 5 * DAY},)),
        "disabled": made_up_key(
            third, "Load test", state="disabled", state_reason="Looks misused, ticket 4711", environment="test"
        ),
        "revoked": made_up_key(
            third,
            "Old player",
            state="revoked",
            state_reason="The contractor has left",
            ended_at=now - DAY,
            versions=({"stage": "retired", "retired_because": "revoked", "retired_at": now - DAY},),
        ),
        "imported": made_up_key(
            third,
            "From the old gateway",
            store_state="empty",
            versions=({"algorithm": "hmac-sha256-of-sha256", "last_four": "p7dc"},),
        ),
        "expired": made_up_key(third, "Conference demo", versions=({"expires_at": now - timedelta(minutes=5)},)),
    }
    for tenant in rest:
        for name in ("Ingest", "Analytics"):
            key = made_up_key(tenant, name, versions=({"expires_at": now + dice.randint(8, 170) * DAY},))
            use(key.versions.get(), [dice.randint(0, 300) for _ in range(24)], minutes_ago=dice.randint(1, 4_000))
    return roles
