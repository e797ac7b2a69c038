"""Filters above the list of keys, and what its search finds. *Expired* and *expiring* are asked of the clock, not of the row's state alone."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from controlplane.console import key_words, words
from controlplane.console.filters import Choices, SelectFilter, select
from tenants.keys import selectors, tokens
from tenants.keys.models import ApiKey, KeyEnvironment, KeyState, Stage, StoreState
from tenants.keys.words import SOON
from tenants.models import Tier

EXPIRING, LEAKED = "expiring", "leaked"
_START = re.compile(
    rf"{tokens.BRAND_SHAPE}_{tokens.ENVIRONMENT_SHAPE}_(?P<public_id>[0-9A-Za-z]{{{tokens.PUBLIC_LENGTH}}})(?:_.*)?"
)


def _states() -> Choices:
    """The states that people are shown, with the two that are no state of the row."""
    plain = [(state.value, state.value) for state in (KeyState.ACTIVE, KeyState.DISABLED, KeyState.EXPIRED, KeyState.REVOKED)]
    return [plain[0], (EXPIRING, "expiring within 30 days"), *plain[1:], (LEAKED, "found in public")]


class StateFilter(SelectFilter):
    """By the state that is shown; an unknown one keeps nothing."""

    title = "state"
    parameter_name = "state"
    options = staticmethod(_states)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the keys in the chosen state."""
        value = self.value()
        if not value:
            return queryset
        if value == LEAKED:
            return queryset.filter(leaked_at__isnull=False)
        if value == EXPIRING:
            now = timezone.now()
            soon = {"versions__expires_at__gt": now, "versions__expires_at__lte": now + SOON}
            return queryset.filter(state=KeyState.ACTIVE, versions__stage=Stage.CURRENT, **soon)
        return queryset & selectors.list_keys(state=value)


ENVIRONMENT = select("environment", "environment", lambda: [(value, value) for value in KeyEnvironment.values])
STORE = select("store", "store_state", lambda: [(value, key_words.store_of(value)) for value in StoreState.values])
TIER = select("tier", "tenant__tier_id", lambda: Tier.objects.values_list("code", "name"))
KEY_FILTERS = (StateFilter, ENVIRONMENT, STORE, TIER)


def search(rows: QuerySet[ApiKey], term: str) -> QuerySet[ApiKey]:
    """Find by name (contains), whole key id, public id or visible start, tenant's id (whole) or short name (beginning)."""
    wanted = term.strip()
    if not wanted:
        return rows
    whole = Q(pk=wanted) | Q(public_id=public_id_in(wanted)) | Q(tenant_id=wanted)
    return rows.filter(whole | Q(name__icontains=wanted) | Q(tenant__slug__istartswith=wanted))


def public_id_in(term: str) -> str:
    """Give the public id in a visible start such as ``cpk_live_AbCdEfGhIjKlMnOp_``, or the term itself."""
    found = _START.fullmatch(term)
    return found["public_id"] if found else term


def is_whole_key(term: str) -> bool:
    """Say whether somebody has pasted a key where only its visible start belongs."""
    return tokens.looks_like_ours(term.strip())


def label_of(state: str) -> str:
    """Give a choice of the state filter in words."""
    return dict(_states()).get(state, words.plain(state))
