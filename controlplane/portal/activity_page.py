"""Everything that was done in a tenant's name or to it, operators' acts included: filtered by noun and by whose hand, in pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse

from controlplane.portal import activity_lines, activity_proof, activity_words
from controlplane.portal.pages import page
from controlplane.portal.sessions import portal_of
from core.actors import ActorKind
from core.audit.selectors import list_events

A_PAGE = 25
KINDS = {
    ActorKind.MEMBER: "Members",
    ActorKind.OPERATOR: "Operators",
    ActorKind.KEY: "Keys",
    ActorKind.SYSTEM: "Automatic",
    ActorKind.HOOK: "Reports from outside",
}


def activity(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the log, newest first. ``before`` is the last entry of the page before: pages stay what they are while new entries come."""
    tenant = portal_of(request).tenant
    noun, kind = request.GET.get("what", ""), request.GET.get("who", "")
    noun, kind = noun if noun in activity_words.NOUNS else "", kind if kind in KINDS else ""
    before = request.GET.get("before", "")
    position = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    events = list_events(tenant_id=tenant.pk, action=f"{noun}." if noun else "", actor_kind=kind, before=position)
    rows = list(events[: A_PAGE + 1])
    query = {name: text for name, text in (("what", noun), ("who", kind)) if text}
    older = urlencode({**query, "before": rows[A_PAGE - 1].position}) if len(rows) > A_PAGE else ""
    context: dict[str, Any] = {
        "lines": activity_lines.lines_of(tenant.pk, rows[:A_PAGE]),
        "nouns": activity_words.NOUNS,
        "kinds": {kind.value: words for kind, words in KINDS.items()},
        "chosen": {"what": noun, "who": kind},
        "older": older,
        "is_older": position is not None,
        "newest": urlencode(query),
        "state": activity_proof.state_of(tenant.pk),
    }
    return page(request, "activity", section="activity", **context)
