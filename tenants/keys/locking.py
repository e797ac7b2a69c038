"""Holding a key's row, with what every act on it reads beside it, until the transaction ends."""

from __future__ import annotations

from django.db.models import QuerySet

from core.errors import NotFoundError
from core.ids import KEY, is_id
from tenants.keys.models import NEVER_GIVEN, ApiKey


def lock(key_id: str) -> ApiKey:
    """Give a key with its tenant, tier and cell, its row locked until the transaction ends."""
    return _locked().get(pk=key_id)


def lock_of_tenant(tenant_id: str, key_id: str) -> ApiKey:
    """As :func:`lock`, for a key that one tenant's caller names; raises NotFoundError as ``selectors.get_key`` does."""
    rows = _locked().filter(pk=key_id, tenant_id=tenant_id).exclude(state__in=NEVER_GIVEN)
    key = rows.first() if is_id(key_id, KEY) else None
    if key is None:
        raise NotFoundError("There is no such key.")
    return key


def _locked() -> QuerySet[ApiKey]:
    return ApiKey.objects.select_for_update(of=("self",)).select_related("tenant__tier", "tenant__cell")
