"""A key's page: facts, what wants attention, versions with what each is still doing, calls by hour, and what happened to it. Reads only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from controlplane.portal import activity_lines, key_chart, key_lines, key_people
from controlplane.portal.access import may
from controlplane.portal.pages import page
from controlplane.portal.sessions import SignedIn, portal_of
from core.audit.selectors import list_events
from core.errors import NotFoundError
from tenants.keys import evidence, selectors, tokens, words
from tenants.keys.models import Algorithm, ApiKey, KeyState, Stage
from tenants.lifecycle import SERVED

VERSIONS_SHOWN, EVENTS_SHOWN = 20, 15
ACTS = {
    "rotate": "key-rotate",
    "edit": "key-edit",
    "disable": "key-disable",
    "enable": "key-enable",
    "retire_previous": "key-retire-previous",
    "revoke": "key-revoke",
}


def find(portal: SignedIn, key_id: str) -> ApiKey:
    """Give one of the tenant's keys; Http404 for any other."""
    try:
        return selectors.get_key(portal.tenant.pk, key_id)
    except NotFoundError:
        raise Http404 from None


def key(request: HttpRequest, slug: str, key_id: str) -> HttpResponse:
    """Show one key."""
    portal = portal_of(request)
    row, now = find(portal, key_id), timezone.now()
    versions = list(selectors.list_versions(row)[: VERSIONS_SHOWN + 1])
    hours = evidence.hours_of([version.pk for version in versions], now=now)
    current, previous = selectors.current_of(row), selectors.previous_of(row)
    events = list(list_events(tenant_id=portal.tenant.pk, target=row.pk)[:EVENTS_SHOWN])
    context = {
        "key": row,
        "state": selectors.state_of(row, now),
        "prefix": tokens.prefix_of(row.brand, row.environment, row.public_id),
        "current": current,
        "previous": previous,
        "overlap_ends_at": key_lines.overlap_end(previous),
        "by": key_people.names_of(portal.tenant.pk, [row.created_by])[row.created_by],
        "secret": key_lines.secret_of(row),
        "lines": key_lines.versions_of(row, versions[:VERSIONS_SHOWN], now),
        "has_more": len(versions) > VERSIONS_SHOWN,
        "chart": key_chart.chart_of([(v.pk, v.number, v.stage) for v in versions], hours, now),
        "events": activity_lines.lines_of(portal.tenant.pk, events),
        "acts": acts_of(portal, row, now),
        **notes_of(row, now),
    }
    return page(request, "key", section="keys", **context)


def acts_of(portal: SignedIn, row: ApiKey, now: datetime) -> dict[str, bool]:
    """Say of each act whether the page offers it: lawful for the key now, and open to the member's role. The service checks again."""
    state = selectors.state_of(row, now)
    lives = state in (KeyState.ACTIVE, KeyState.DISABLED)
    under_way = any(v.stage == Stage.PENDING and (v.claimed_until is None or v.claimed_until > now) for v in row.versions.all())
    lawful = {
        "rotate": state == KeyState.ACTIVE and row.tenant.state in SERVED and not under_way,
        "edit": lives,
        "disable": state == KeyState.ACTIVE,
        "enable": state == KeyState.DISABLED,
        "retire_previous": lives and selectors.previous_of(row) is not None,
        "revoke": lives,
    }
    return {act: is_lawful and may(portal.member.role, ACTS[act], "POST") for act, is_lawful in lawful.items()}


def notes_of(row: ApiKey, now: datetime) -> dict[str, Any]:
    """Give what the page says in banners: of its end, a leak, the store, and where it came from."""
    current, state = selectors.current_of(row), selectors.state_of(row, now)
    nearness = words.nearness(current.expires_at, now) if current and state == KeyState.ACTIVE else ""
    return {
        "nearness": nearness,
        "ends_for_good": bool(current and row.expires_at and row.expires_at <= current.expires_at),
        "is_leaked": row.leaked_at is not None and row.is_living,
        "is_replaced_since": bool(row.leaked_at and current and row.rotate_due_at is None and current.issued_at > row.leaked_at),
        "is_imported": current is not None and current.algorithm == Algorithm.IMPORTED and row.is_living,
    }
