"""What another limit would have done: a tenant's recorded minutes replayed against it, beside what holds now. Reads only, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from controlplane.console import limit_words, usage_window
from controlplane.console.usage_chart import UsageChart, chart_of
from controlplane.console.usage_window import Window
from core.errors import InvalidInputError
from tenants.limits import inputs, selectors
from tenants.limits.calendar import Period
from tenants.limits.effective import Limited, Limits, rules_of
from tenants.limits.quotas import QuotaState
from tenants.models import Tenant
from tenants.usage.figures import Span
from tenants.usage.replay import Minute, Replayed, replay
from tenants.usage.selectors import minutes_of, over_time

REPLAYED = (Limited.RATE, Limited.BURST, Limited.QUOTA_PER_DAY, Limited.QUOTA_PER_MONTH)
"""What can be proposed. Requests in flight are not recorded, and a weight refuses nobody."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class WhatIfForm(forms.Form):
    """A limit and a number, in the address."""

    limited = forms.ChoiceField(
        label="Limit", choices=[(one.value, limit_words.NAMES[one]) for one in REPLAYED], widget=UnfoldAdminSelectWidget
    )
    value = forms.IntegerField(label="If it were", widget=UnfoldAdminIntegerFieldWidget(attrs={"min": "0"}))

    def clean(self) -> dict[str, Any]:
        """Hold the number to what the limit can be."""
        cleaned = super().clean() or {}
        if {"limited", "value"} <= set(cleaned):
            try:
                inputs.clean_value(Limited(cleaned["limited"]), cleaned["value"])
            except InvalidInputError as error:
                self.add_error("value", error.detail)
        return cleaned


@dataclass(frozen=True, slots=True)
class Outcome:
    """What some limits would have refused: ``number`` says which, in words."""

    number: str
    evenly: int
    at_once: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The proposal beside what holds now. The chart is of the proposal, with the requests of a minute spread evenly over it."""

    limited: Limited
    value: int
    name: str
    requests: int
    now: Outcome
    proposed: Outcome
    chart: UsageChart


def ask(tenant: Tenant, limited: Limited, value: int, window: Window, now: datetime) -> Answer:
    """Replay the window's minutes, in a fixed number of queries."""
    since = window.begins(now)
    minutes = minutes_of(tenant.pk, since=since, until=now)
    holds = selectors.effective_limits(tenant, now=now)
    proposal = replace(holds, **{limited.value: value})  # type: ignore[arg-type]  # the names are those of the fields
    used = used_before(tenant, since)
    before, after = (_replay(minutes, limits, used) for limits in (holds, proposal))
    return Answer(
        limited,
        value,
        limit_words.NAMES[limited],
        sum(minute.requests for minute in minutes),
        _outcome(limited, getattr(holds, limited), before),
        _outcome(limited, value, after),
        chart_of(_points(after, window, since), proposal.rate_per_second * usage_window.SECONDS[window.span]),
    )


def used_before(tenant: Tenant, since: datetime) -> dict[str, QuotaState]:
    """Give what of its quotas a tenant had used when a minute began: the days of its month, the hours of its day, the minutes of its hour."""
    day, hour = since.replace(hour=0, minute=0), since.replace(minute=0)
    of_day = _cost(tenant, Span.HOUR, day, hour) + _cost(tenant, Span.MINUTE, hour, since)
    of_month = _cost(tenant, Span.DAY, day.replace(day=1), day) + of_day
    now_us = (since - EPOCH) // timedelta(microseconds=1)
    return {
        "quota-day": QuotaState(Period.DAY.number(now_us), of_day),
        "quota-month": QuotaState(Period.MONTH.number(now_us), of_month),
    }


def _cost(tenant: Tenant, span: Span, since: datetime, until: datetime) -> int:
    return sum(point.cost for point in over_time(tenant.pk, span=span, since=since, until=until)) if since < until else 0


def _replay(minutes: Sequence[Minute], limits: Limits, used: dict[str, QuotaState]) -> list[Replayed]:
    return replay(minutes, rules_of(limits), used=used)


def _outcome(limited: Limited, value: int | None, replayed: Sequence[Replayed]) -> Outcome:
    evenly, at_once = (sum(getattr(minute, how) for minute in replayed) for how in ("refused_evenly", "refused_at_once"))
    return Outcome(limit_words.number_of(limited, value), evenly, at_once)


def _points(replayed: Sequence[Replayed], window: Window, since: datetime) -> list[tuple[datetime, int, int]]:
    """Add minutes up to the window's stretches; those without a request are there too."""
    moments = [since + place * window.step for place in range(window.places)]
    counted = [[0, 0] for _ in moments]
    for minute in replayed:
        place = (EPOCH + timedelta(microseconds=minute.begins_us) - since) // window.step
        refused = minute.refused_evenly
        counted[place][0] += minute.requests - refused
        counted[place][1] += refused
    return [(moment, allowed, refused) for moment, (allowed, refused) in zip(moments, counted, strict=True)]
