"""A tenant of any size as its portal shows it, as rows alone: keys in use, people, and a sealed log. Nothing is made in AWS."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import models
from django.db.models import F
from django.utils import timezone

from core.audit.chain import entry_code
from core.audit.models import AuditEvent
from core.audit.rows import content_of, keyring
from core.audit.sealing import seal
from core.ids import KEY, MEMBER, new_id
from tenants.keys import tokens
from tenants.keys.models import ApiKey, KeyDay, KeyUse, KeyVersion, TenantHour
from tenants.members.models import Member
from tenants.models import Cell, CellState, Tenant
from tenants.naming import username
from tenants.seed import seed_cell, seed_tiers
from tenants.slugs import skeleton_of

BATCH = 2_000
HOURS = 48
"""For how many hours back each key was called: the pages show half of them."""
SCOPES = ("events:write", "events:read", "grades:read", "reports:export")
STATES = ("active", "active", "active", "active", "active", "disabled", "revoked", "expired")
ACTS = ("key.rotated", "member.signed_in", "key.issued", "member.signed_in", "key.version_retired")
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Size:
    """How many there are of each. Of the first five keys each is active and live, of the first five people one is invited: what is shown of a few
    is then shown of many as well, and a filter that fits is compared with one that fits."""

    keys: int
    members: int
    events: int


def fill(slug: str, size: Size) -> Tenant:
    """Write a tenant with so many keys, people and entries. A rare entry is the oldest, so that a filter has to look far for it."""
    tenant = _tenant(slug)
    now = timezone.now()
    members = [_member(tenant, place, now) for place in range(size.members)]
    Member.objects.bulk_create(members, batch_size=BATCH)
    keys = [_key(tenant, place, members[place % len(members)], now) for place in range(size.keys)]
    ApiKey.objects.bulk_create(keys, batch_size=BATCH)
    versions = [version for key in keys for version in _versions(key, now)]
    KeyVersion.objects.bulk_create(versions, batch_size=BATCH)
    hour = now.replace(minute=0, second=0, microsecond=0)
    for start in range(0, len(versions), BATCH):
        uses = [use for version in versions[start : start + BATCH] for use in _uses(version, hour)]
        KeyUse.objects.bulk_create(uses, batch_size=BATCH)
        _add_up(tenant, uses)
    _write_log(tenant, keys, members, size.events, now)
    return tenant


def _tenant(slug: str) -> Tenant:
    seed_tiers()
    place = {"partition": "aws", "region": "eu-central-1", "account_id": "123456789012", "role_arn": ""}
    cell = seed_cell(code="bench", environment="dev", **place)
    Cell.objects.update(state=CellState.READY)
    return Tenant.objects.create(
        slug=slug,
        skeleton=skeleton_of(slug),
        name=slug.title(),
        state="active",
        tier_id="basic",
        cell=cell,
        admin_email=f"admin@{slug}.example",
        state_changed_at=timezone.now(),
    )


def _member(tenant: Tenant, place: int, now: datetime) -> Member:
    email = f"person{place}@{tenant.slug}.example"
    at = now - timedelta(minutes=10_000 - place)
    state = {4: "invited", 8: "disabled"}.get(place % 10, "active")
    return Member(
        id=new_id(MEMBER, now_ms=int(at.timestamp() * 1000)),
        tenant=tenant,
        email=email,
        address=email,
        name=f"Person Number {place}",
        username=username(tenant.pk, email),
        role="owner" if place < 2 else ("admin", "developer", "viewer")[place % 3],
        state=state,
        invited_by="operator:bench",
        invited_at=at,
        invitation_expires_at=now + DAY,
        joined_at=at,
        last_seen_at=now - timedelta(minutes=place),
        directory_state="settled",
    )


def _key(tenant: Tenant, place: int, by: Member, now: datetime) -> ApiKey:
    at = now - timedelta(minutes=10_000 - place)
    state = STATES[place % len(STATES)]
    return ApiKey(
        id=new_id(KEY, now_ms=int(at.timestamp() * 1000)),
        tenant=tenant,
        public_id=tokens.new_public_id(),
        brand="cpk",
        environment="test" if place % 7 == 6 else "live",
        name=f"{('Ingest', 'Reporting', 'Mobile app', 'Course player', 'Grade sync')[place % 5]} {place}",
        scopes=list(SCOPES[: 1 + place % 4]),
        state=state,
        created_by=f"member:{by.pk}",
        created_at=at,
        ended_at=now - DAY if state in ("revoked", "expired") else None,
        store_state="settled",
    )


def _versions(key: ApiKey, now: datetime) -> Iterator[KeyVersion]:
    """One that was replaced and, where the key lives, one that is current; every third key is in an overlap."""
    number = int(key.name.rpartition(" ")[2])
    stages = ("previous" if number % 3 == 0 else "retired", "current") if key.ended_at is None else ("retired", "retired")
    for place, stage in enumerate(stages, start=1):
        digest = hashlib.sha256(f"{key.pk}{place}".encode()).hexdigest()
        yield KeyVersion(
            key=key,
            number=place,
            stage=stage,
            pepper_id=1,
            digest=digest,
            last_four=digest[:4],
            created_by=key.created_by,
            issued_at=now - (3 - place) * DAY,
            expires_at=now + DAY * (20 + number % 60),
            retires_at=now + timedelta(hours=2) if stage == "previous" else None,
            retired_at=now - DAY if stage == "retired" else None,
            retired_because="rotated" if stage == "retired" else "",
            last_used_at=now - timedelta(minutes=number % 50),
            last_used_from="192.0.2.17",
        )


def _uses(version: KeyVersion, hour: datetime) -> Iterator[KeyUse]:
    """Each key is called around the clock, by one version after the other."""
    first, last = (24, HOURS) if version.number == 1 else (0, 24)
    for ago in range(first, last):
        yield KeyUse(version=version, hour=hour - timedelta(hours=ago), calls=1 + (ago * 7 + version.number) % 900)


def _add_up(tenant: Tenant, uses: list[KeyUse]) -> None:
    """As ``evidence.note_uses`` adds up what it counts."""
    days, hours = Counter[tuple[str, date]](), Counter[datetime]()
    for use in uses:
        days[use.version.key_id, use.hour.date()] += use.calls
        hours[use.hour] += use.calls
    KeyDay.objects.bulk_create(
        (KeyDay(tenant=tenant, key_id=key_id, day=day, calls=calls) for (key_id, day), calls in days.items()), batch_size=BATCH
    )
    for at, calls in hours.items():
        TenantHour.objects.get_or_create(tenant=tenant, hour=at)
        TenantHour.objects.filter(tenant=tenant, hour=at).update(calls=F("calls") + calls)


def _write_log(tenant: Tenant, keys: list[ApiKey], members: list[Member], number: int, now: datetime) -> None:
    """As ``record`` writes entries, but for their order in a transaction: each bears its code, and all are sealed."""
    write: models.QuerySet[AuditEvent] = models.QuerySet(AuditEvent)  # the model's own refuses to write in bulk
    ring = keyring()
    for start in range(0, number, BATCH):
        rows = []
        for place in range(start, min(start + BATCH, number)):
            by, key = members[place % len(members)], keys[place * 7 % len(keys)]
            action = ACTS[place % len(ACTS)] if place else "tenant.activated"
            row = AuditEvent(
                recorded_at=now - timedelta(seconds=number - place),
                actor_kind="member" if place else "operator",
                actor_id=by.pk if place else "bench",
                actor_label=by.name if place else "Bench",
                action=action,
                target=key.pk if action.startswith("key.") else by.pk,
                tenant_id=tenant.pk,
                reason="Asked for in the weekly round" if place % 4 == 0 else "",
                outcome="succeeded",
                details_json=json.dumps({"name": key.name, "number": 2}, separators=(",", ":"), sort_keys=True),
                key_id=ring.current_id,
            )
            row.entry_mac = entry_code(ring, content_of(row))
            rows.append(row)
        write.bulk_create(rows)
        while seal():
            pass
