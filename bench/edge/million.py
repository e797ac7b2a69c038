"""Many keys as rows, written in bulk: fifty keys a tenant, one current version each, one key in ten with an address range."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from django.utils import timezone

from bench.projection import KEYS_A_TENANT, scopes
from core.ids import KEY, TENANT, new_id
from tenants.keys import tokens
from tenants.keys.models import ApiKey, KeyVersion
from tenants.models import Cell, CellState, Tenant
from tenants.seed import seed_cell, seed_tiers
from tenants.slugs import skeleton_of

BATCH = 5_000


def write(number: int) -> None:
    """Write ``number`` keys with their tenants. Raises what the database says of rows that are there already."""
    seed_tiers()
    place = {"partition": "aws", "region": "eu-central-1", "account_id": "123456789012", "role_arn": ""}
    cell = seed_cell(code="bench", environment="dev", **place)
    Cell.objects.update(state=CellState.READY)
    now = timezone.now()
    tenants = [_tenant(place, cell, now) for place in range(-(-number // KEYS_A_TENANT))]
    Tenant.objects.bulk_create(tenants, batch_size=BATCH)
    keys = (_key(place, tenants[place // KEYS_A_TENANT], now) for place in range(number))
    for some in iter(lambda: list(islice(keys, BATCH)), []):
        ApiKey.objects.bulk_create(some)
        KeyVersion.objects.bulk_create(_versions(some, now))


def _tenant(place: int, cell: Cell, at: datetime) -> Tenant:
    slug = f"customer-{place}"
    return Tenant(
        id=new_id(TENANT),
        slug=slug,
        skeleton=skeleton_of(slug),
        name=slug.title(),
        state="active",
        tier_id="basic",
        cell=cell,
        admin_email=f"admin@{slug}.example",
        state_changed_at=at,
    )


def _key(place: int, tenant: Tenant, at: datetime) -> ApiKey:
    return ApiKey(
        id=new_id(KEY),
        tenant=tenant,
        public_id=f"{place:0{tokens.PUBLIC_LENGTH}}",
        brand="cpk",
        environment="live",
        name=f"Ingest {place}",
        scopes=list(scopes(place)),
        cidrs=["203.0.113.0/24"] if place % 10 == 0 else [],
        state="active",
        created_by="operator:bench",
        created_at=at,
        store_state="settled",
    )


def _versions(keys: list[ApiKey], at: datetime) -> Iterator[KeyVersion]:
    for key in keys:
        digest = os.urandom(32).hex()
        yield KeyVersion(
            key=key,
            number=1,
            stage="current",
            pepper_id=1,
            digest=digest,
            last_four=digest[:4],
            created_by=key.created_by,
            issued_at=at,
            expires_at=at + timedelta(days=365),
        )
