"""Keys as rows, without the store: quick, for tests of who may do what to which. Tests of issuing and rotating ask the real services."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from tenants.keys import tokens
from tenants.keys.models import ApiKey, KeyVersion
from tenants.models import Tenant


@dataclass(frozen=True)
class Held:
    """A key, one of its versions, and that version's text."""

    key: ApiKey
    version: KeyVersion
    text: str


def hold(tenant: Tenant, *, lives: timedelta = timedelta(days=90), **fields: Any) -> Held:
    """Write an active key with a current version, as issuing leaves it."""
    now = timezone.now()
    environment = fields.pop("environment", "live")
    key = ApiKey.objects.create(
        tenant=tenant,
        public_id=tokens.new_public_id(),
        brand=settings.KEY_BRAND,
        environment=environment,
        created_by="system:tests",
        created_at=now,
        **{"name": "ingest", "scopes": ["events:write"], "state": "active", "store_state": "settled", **fields},
    )
    return add_version(key, 1, lives=lives)


def add_version(key: ApiKey, number: int, *, lives: timedelta = timedelta(days=90), **fields: Any) -> Held:
    """Write one more version of a key."""
    now = timezone.now()
    token = tokens.new_token(key.brand, key.environment, public_id=key.public_id)
    pepper_id = max(settings.KEY_PEPPERS)
    version = KeyVersion.objects.create(
        key=key,
        number=number,
        pepper_id=pepper_id,
        digest=tokens.digest_of(token.text, settings.KEY_PEPPERS[pepper_id]),
        last_four=token.last_four,
        created_by="system:tests",
        **{"stage": "current", "issued_at": now, "promoted_at": now, "expires_at": now + lives, **fields},
    )
    return Held(key, version, token.text)
