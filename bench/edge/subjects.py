"""Tenants with a key each, as rows, and what is done to them. Import it when Django is set up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from core.actors import system
from core.ids import KEY, TENANT, new_id
from tenants import services as tenants
from tenants.keys import services as keys
from tenants.keys import tokens
from tenants.keys.models import ApiKey, KeyVersion
from tenants.lifecycle import TenantState
from tenants.limits import services as limits
from tenants.limits.effective import Limited
from tenants.limits.projection import HALF, pack_id
from tenants.models import Cell, Tenant, Tier
from tenants.slugs import skeleton_of

BENCH = system("bench")
REASON = "a measurement"


@dataclass(frozen=True, slots=True)
class Subject:
    tenant_id: str
    key_id: str
    text: str = field(repr=False)

    @property
    def names(self) -> tuple[bytes, bytes]:
        """How the names of the tenant's record and the key's end."""
        digest = bytes.fromhex(tokens.digest_of(self.text, settings.KEY_PEPPERS[max(settings.KEY_PEPPERS)]))
        return pack_id(self.tenant_id), digest[:HALF]


def make(number: int) -> list[Subject]:
    """Write so many active tenants, each with plenty to ask for and one key."""
    plenty = {"rate_per_second": 1_000_000, "burst": 1_000_000, "quota_per_day": 10**12}
    tier = Tier.objects.create(code="bench", name="Bench", isolation_model="pool", **plenty)
    cell, now, pepper_id, subjects = Cell.objects.get(), timezone.now(), max(settings.KEY_PEPPERS), []
    for place in range(number):
        slug, token = f"customer-{place}", tokens.new_token("cpk", "live")
        subject = Subject(new_id(TENANT), new_id(KEY), token.text)
        Tenant.objects.create(
            id=subject.tenant_id,
            slug=slug,
            skeleton=skeleton_of(slug),
            name=slug.title(),
            state="active",
            tier=tier,
            cell=cell,
            admin_email=f"admin@{slug}.example",
            state_changed_at=now,
        )
        ApiKey.objects.create(
            id=subject.key_id,
            tenant_id=subject.tenant_id,
            public_id=token.public_id,
            brand="cpk",
            environment="live",
            name="Ingest",
            scopes=[],
            state="active",
            created_by=str(BENCH),
            created_at=now,
            store_state="settled",
        )
        KeyVersion.objects.create(
            key_id=subject.key_id,
            number=1,
            stage="current",
            pepper_id=pepper_id,
            digest=tokens.digest_of(token.text, settings.KEY_PEPPERS[pepper_id]),
            last_four=token.last_four,
            created_by=str(BENCH),
            issued_at=now,
            expires_at=now + timedelta(days=30),
        )
        subjects.append(subject)
    return subjects


def tenants_of(subjects: list[Subject]) -> QuerySet[Tenant]:
    return Tenant.objects.filter(pk__in=[subject.tenant_id for subject in subjects])


def versions_of(subjects: list[Subject]) -> QuerySet[KeyVersion]:
    return KeyVersion.objects.filter(key_id__in=[subject.key_id for subject in subjects])


def revoke(subject: Subject) -> None:
    keys.revoke_key(actor=BENCH, tenant_id=subject.tenant_id, key_id=subject.key_id, reason=REASON)


def suspend(subject: Subject) -> None:
    """The change of state that an edge hears of; what suspension then does in AWS is not measured here."""
    with transaction.atomic():
        tenants.move(Tenant.objects.get(pk=subject.tenant_id), to=TenantState.SUSPENDED, actor=BENCH, reason=REASON)


def limit(subject: Subject) -> None:
    limits.set_override(actor=BENCH, tenant_id=subject.tenant_id, limited=Limited.QUOTA_PER_DAY.value, value=0, reason=REASON)


ACTS: tuple[tuple[str, Callable[[Subject], None], int], ...] = (
    ("a key revoked", revoke, 401),
    ("a tenant suspended", suspend, 403),
    ("a quota lowered to nothing", limit, 429),
)
"""What is done, and what an edge then answers."""
