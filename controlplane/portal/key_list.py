"""The list of a tenant's keys: searched, filtered, in numbered pages, each a fixed number of queries however many keys there are."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from controlplane.portal import key_lines
from controlplane.portal.access import may
from controlplane.portal.pages import page
from controlplane.portal.sessions import portal_of
from core.ids import KEY, is_id
from tenants.keys import selectors, tokens
from tenants.keys.models import NEVER_GIVEN, ApiKey, KeyEnvironment, KeyState

A_PAGE = 15
"""What a long list costs over one of five is its rows: so many keep within half of a page's price."""
STATES = tuple(state.value for state in KeyState if state not in NEVER_GIVEN)
PASTED = (
    "That was a whole key. It was found by its visible start and is not shown here; but it has been in an address, "
    "so treat it as seen by others: rotate it, without an overlap."
)
_WHOLE = re.compile(tokens.PATTERN)
_START = re.compile(rf"{tokens.BRAND_SHAPE}_(?:live|test)_([0-9A-Za-z]{{1,{tokens.PUBLIC_LENGTH}}})\b")


def keys(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the keys; a whole key in the search is cut to its visible start before anything is shown."""
    portal = portal_of(request)
    term = request.GET.get("q", "").strip()[:200]
    if (found := _WHOLE.search(term)) is not None:
        messages.warning(request, PASTED)
        query = {"q": "_".join(found.group().split("_")[:3]), "state": request.GET.get("state", "")}
        return HttpResponseRedirect(f"{request.path}?{urlencode(query)}")
    state = _one_of(request.GET.get("state", ""), STATES)
    environment = _one_of(request.GET.get("environment", ""), KeyEnvironment.values)
    rows = search(selectors.list_keys(tenant_id=portal.tenant.pk, state=state, environment=environment), term)
    shown = Paginator(selectors.listed(rows), A_PAGE).get_page(request.GET.get("page"))
    is_filtered = bool(state or environment or term)
    context: dict[str, Any] = {
        "shown": shown,
        "pages": shown.paginator.get_elided_page_range(shown.number, on_each_side=1, on_ends=1),
        "lines": key_lines.lines_of(portal.tenant.pk, shown.object_list, timezone.now()),
        "states": STATES,
        "environments": KeyEnvironment.values,
        "chosen": {"q": term, "state": state, "environment": environment},
        "query": urlencode({name: text for name, text in (("q", term), ("state", state), ("environment", environment)) if text}),
        "is_filtered": is_filtered,
        "may_issue": may(portal.member.role, "key-issue", "POST"),
        "may_decide_leaks": may(portal.member.role, "key-leaks", "POST"),
    }
    return page(request, "keys", section="keys", **context)


def search(rows: QuerySet[ApiKey], term: str) -> QuerySet[ApiKey]:
    """Find keys by name, by the visible start of their text, by its public id from the start, or by key id."""
    if not term:
        return rows
    start = _START.match(term)
    if start is not None:
        # The bounds say the same again, for SQLite, which finds no start in an index.
        within = {"public_id__gte": start[1], "public_id__lte": start[1] + "z" * tokens.PUBLIC_LENGTH}
        return rows.filter(public_id__startswith=start[1], **within)
    if is_id(term, KEY):
        return rows.filter(pk=term)
    return rows.filter(Q(name__icontains=term) | Q(public_id=term))


def _one_of(text: str, known: tuple[str, ...] | list[str]) -> str:
    return text if text in known else ""
