"""Which keys a command is about: one by its id, public id or visible start, or all that can be rotated of a tenant or of everybody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from core.errors import NotFoundError
from tenants.keys import selectors, tokens
from tenants.keys.models import ApiKey, KeyState, KeyVersion, Stage
from tenants.lifecycle import SERVED

_START = re.compile(
    rf"{tokens.BRAND_SHAPE}_{tokens.ENVIRONMENT_SHAPE}_(?P<public_id>[0-9A-Za-z]{{{tokens.PUBLIC_LENGTH}}})(?:_.*)?"
)


@dataclass(frozen=True, slots=True)
class Selected:
    """The ids of keys to rotate, the oldest first; how many were rotated since the given time; how many cannot be rotated now."""

    key_ids: list[str]
    done: int
    left_out: int


def get_key(text: str) -> ApiKey:
    """Give a key of whichever tenant, with tenant, tier, cell and open versions; raises NotFoundError.

    A whole key is found by its visible start: what is secret in it is not looked at.
    """
    wanted = text.strip()
    found = _START.fullmatch(wanted)
    public_id = found["public_id"] if found else wanted
    rows = selectors.list_keys().select_related("tenant__tier", "tenant__cell")
    key = rows.filter(Q(pk=wanted) | Q(public_id=public_id)).first()
    if key is None:
        raise NotFoundError("There is no such key. Keys are found by key id, public id or visible start.")
    return key


def start_of(key: ApiKey) -> str:
    """Give the visible start and end of a key: ``cpk_live_<public id>_…1234``."""
    current = selectors.current_of(key)
    return f"{tokens.prefix_of(key.brand, key.environment, key.public_id)}…{current.last_four if current else ''}"


def to_rotate(*, tenant_id: str = "", since: datetime | None = None) -> Selected:
    """Give the keys that can be rotated now, of one tenant or of all, without those whose current version was issued since ``since``."""
    now = timezone.now()
    living = ApiKey.objects.filter(state__in=(KeyState.ACTIVE, KeyState.DISABLED))
    current = KeyVersion.objects.filter(
        stage=Stage.CURRENT, expires_at__gt=now, key__state=KeyState.ACTIVE, key__tenant__state__in=SERVED
    )
    if tenant_id:
        living, current = living.filter(tenant_id=tenant_id), current.filter(key__tenant_id=tenant_id)
    ids = list(current.order_by("key_id").values_list("key_id", "issued_at"))
    due = [key_id for key_id, issued_at in ids if since is None or issued_at < since]
    return Selected(due, done=len(ids) - len(due), left_out=living.count() - len(ids))
