"""Keys as rows alone, with texts that a scanner could find: what leaks are about asks nothing of AWS."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from tenants.keys import tokens
from tenants.keys.models import Algorithm, ApiKey, KeyPolicy, KeyVersion, Stage
from tenants.models import Tenant


def key_row(tenant: Tenant, *, brand: str = "cpk", **fields: Any) -> ApiKey:
    """An active key without versions."""
    values = {"state": "active", "created_by": "operator:olga", "created_at": timezone.now(), "name": "ingest", **fields}
    return ApiKey.objects.create(tenant=tenant, public_id=tokens.new_public_id(), brand=brand, environment="live", **values)


def version_row(key: ApiKey, stage: str = "current", *, number: int = 1, text: str = "", **fields: Any) -> str:
    """A version of a key; gives its text. One that is given is taken for an imported key's."""
    now = timezone.now()
    ours = tokens.new_token(key.brand, key.environment, public_id=key.public_id).text
    kept = hashlib.sha256(text.encode()).hexdigest() if text else ours
    ends: dict[str, datetime] = {"retired_at": now} if stage == Stage.RETIRED else {}
    if stage == Stage.PREVIOUS:
        ends = {"retires_at": now + timedelta(days=2), "switched_at": now}
    if stage == Stage.PENDING:
        ends = {"claimed_until": now + timedelta(minutes=2)}
    values = {"issued_at": now, "promoted_at": now, "expires_at": now + timedelta(days=90), **ends, **fields}
    pepper_id = max(settings.KEY_PEPPERS)
    KeyVersion.objects.create(
        key=key,
        number=number,
        stage=stage,
        algorithm=Algorithm.IMPORTED if text else Algorithm.OURS,
        pepper_id=pepper_id,
        digest=tokens.digest_of(kept, settings.KEY_PEPPERS[pepper_id]),
        last_four=(text or ours)[-4:],
        created_by="operator:olga",
        **values,
    )
    return text or ours


def leaking(tenant: Tenant, action: str) -> None:
    """What this tenant wants done about leaks."""
    KeyPolicy.objects.update_or_create(tenant=tenant, defaults={"leak_action": action})
