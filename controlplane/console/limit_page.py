"""What a tenant's and a key's page show of limits: what holds, where it comes from, who set it, why and until when. Reads only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from controlplane.console import limit_words, people
from tenants.lifecycle import TenantState
from tenants.limits import selectors
from tenants.limits.effective import KeyLimits, Limited
from tenants.limits.models import KeyLimit
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class LimitLine:
    """One limit of a tenant. What is about the override is empty where the tier's number holds."""

    limited: str
    name: str
    holds: str
    of_tier: str
    value: int | None
    override_id: str = ""
    reason: str = ""
    by: str = ""
    set_at: datetime | None = None
    expires_at: datetime | None = None


def of_tenant(tenant: Tenant) -> dict[str, Any]:
    """Give a tenant's limits: one query, and another for the names of who overrode some."""
    holdings = selectors.holdings_of(tenant)
    names = people.names_of(one.override.set_by for one in holdings if one.override is not None)
    return {
        "lines": [_line(one, names) for one in holdings],
        "overridden": sum(one.override is not None for one in holdings),
        "may_change": tenant.state != TenantState.CLOSED,
    }


def of_key(row: KeyLimit | None) -> list[str]:
    """Give a key's own limits, one a line; nothing for a key that has none."""
    limits = selectors.limits_of_key_row(row) if row is not None else KeyLimits()
    values = {limited: getattr(limits, limited) for limited in Limited if limited is not Limited.WEIGHT}
    return [f"{limit_words.NAMES[one]}: {limit_words.number_of(one, value)}" for one, value in values.items() if value is not None]


def _line(one: selectors.Holding, names: Any) -> LimitLine:
    shown = LimitLine(
        one.limited.value,
        limit_words.NAMES[one.limited],
        limit_words.number_of(one.limited, one.value),
        limit_words.number_of(one.limited, one.of_tier),
        one.value,
    )
    row = one.override
    if row is None:
        return shown
    about = {"reason": row.reason, "by": names[row.set_by], "set_at": row.set_at, "expires_at": row.expires_at}
    return replace(shown, override_id=row.pk, **about)
