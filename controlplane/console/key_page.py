"""What a key's page shows: facts, lineage with what each version is still doing, its calls by hour, and what happened to it. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from controlplane.console import events, key_acts, key_chart, key_columns, key_counts, key_notes, key_words, limit_page, people
from controlplane.console.access import may_act
from core.audit.selectors import list_events
from tenants.keys import evidence, selectors
from tenants.keys.evidence import Use
from tenants.keys.models import Algorithm, ApiKey, KeyVersion, Stage, StoreState
from tenants.keys.words import because, nearness
from tenants.limits import selectors as limits_selectors
from tenants.naming import key_secret
from tenants.selectors import facts_of

VERSIONS_SHOWN = 20
EVENTS_SHOWN = 12
NO_USE = Use(None, "", 0, 0)


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version as its row of the lineage. ``works_until`` is the end of a previous version's overlap."""

    number: int
    stage: str
    last_four: str
    is_imported: bool
    issued_at: datetime
    issued_by: str
    expires_at: datetime
    nearness: str
    works_until: datetime | None
    retire_when_quiet: bool
    use: Use
    retired_at: datetime | None
    because: str


def find(key_id: str) -> ApiKey | None:
    """Give a key of whichever tenant, with tenant, tier, cell and open versions; None for one that nobody was ever given."""
    return selectors.list_keys().select_related("tenant__tier", "tenant__cell").filter(pk=key_id).first()


def moving(key: ApiKey, request: HttpRequest) -> dict[str, Any]:
    """Give the part of the page that renews itself, in a fixed number of queries."""
    now = timezone.now()
    versions = list(selectors.list_versions(key)[: VERSIONS_SHOWN + 1])
    has_more, versions = len(versions) > VERSIONS_SHOWN, versions[:VERSIONS_SHOWN]
    ids = [version.pk for version in versions]
    used = evidence.uses_of(ids, now=now)
    acting = may_act(request)
    actors = people.names_of([key.created_by, *(version.created_by for version in versions)])
    hours = evidence.hours_of(ids, hours=key_chart.HOURS, now=now)
    return {
        "key": key,
        "state": selectors.state_of(key, now),
        "start": key_words.start_of(key, selectors.current_of(key)),
        "prefix": f"{key.brand}_{key.environment}_{key.public_id}_",
        "badges": key_columns.badges(key, now),
        "notes": key_notes.notes_of(key, now),
        "lines": [_line(version, used.get(version.pk, NO_USE), actors[version.created_by], now) for version in versions],
        "has_more": has_more,
        "counted_from": now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1),
        "chart": key_chart.chart_of(key_chart.series_of([(v.pk, v.number, v.stage) for v in versions], hours), now),
        "secret_name": secret_of(key),
        "created_by": actors[key.created_by],
        "limits": limit_page.of_key(limits_selectors.find_key_limit(key.pk)),
        "store_words": key_words.store_of(key.store_state),
        "store_tone": key_columns.store_tone(key),
        "may_act": acting,
        "acts": key_acts.of_key(key, now) if acting else (),
        "events": events.lines_of(list_events(target=key.pk)[:EVENTS_SHOWN]),
        "audit_url": f"{reverse('admin:audit_auditevent_changelist')}?q={key.pk}",
        "is_moving": key.store_state == StoreState.UNSETTLED or any(version.stage == Stage.PENDING for version in versions),
    }


def secret_of(key: ApiKey) -> str:
    """Give the name of the key's secret in the tenant's Secrets Manager; nothing where there is none."""
    if not key.is_living or key.store_state == StoreState.EMPTY:
        return ""
    return key_secret(facts_of(key.tenant), key.pk)


def _line(version: KeyVersion, use: Use, by: str, now: datetime) -> VersionLine:
    previous = version.stage == Stage.PREVIOUS
    return VersionLine(
        number=version.number,
        stage=version.stage,
        last_four=version.last_four,
        is_imported=version.algorithm == Algorithm.IMPORTED,
        issued_at=version.issued_at,
        issued_by=by,
        expires_at=version.expires_at,
        nearness=nearness(version.expires_at, now) if version.stage == Stage.CURRENT else "",
        works_until=min(version.retires_at or version.expires_at, version.expires_at) if previous else None,
        retire_when_quiet=previous and version.retire_when_quiet,
        use=use,
        retired_at=version.retired_at,
        because=because(version.retired_because) if version.retired_because else "",
    )


def of_tenant(tenant_id: str, *, most: int = 5) -> dict[str, Any]:
    """Give what a tenant's page shows of its keys: the newest few, and how many there are in each state. Three queries."""
    now = timezone.now()
    counts = key_counts.by_state(tenant_id)
    rows = selectors.list_keys(tenant_id=tenant_id).order_by("-id")[:most] if counts else ()
    return {
        "counts": counts,
        "total": sum(counts.values()),
        "rows": [_short(key, now) for key in rows],
        "all_url": f"{reverse('admin:keys_apikey_changelist')}?q={tenant_id}",
    }


def _short(key: ApiKey, now: datetime) -> dict[str, SafeString | str]:
    return {
        "id": key.pk,
        "what": key_columns.what(key),
        "badges": key_columns.badges(key, now),
        "versions": key_columns.versions(key, now),
        "used": key_columns.last_used(key),
        "ends": key_columns.ends(key, now),
    }
