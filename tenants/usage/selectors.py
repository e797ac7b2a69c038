"""Reads: what tenants asked for and were refused over time, who is loud, how quotas stand, what versions of keys were refused.

Windows go from ``since`` to before ``until``, cut to whole minutes, hours or days (UTC); the stretch that is running is not over yet. All counts lag
behind the edges by a flush and a roll-up: about six seconds. Each function asks a number of queries that does not grow with what it finds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet, Sum

from tenants.keys.codes import Code
from tenants.limits.calendar import Period
from tenants.limits.effective import Limits
from tenants.limits.selectors import effective_limits_of
from tenants.models import Tenant
from tenants.usage.figures import Load, Point, QuotaUse, Rank, Refusals, Span, Used, reason_of
from tenants.usage.models import ThresholdReached, UsageDay, UsageHour, UsageMinute, VersionHour
from tenants.usage.replay import Minute

ALLOWED = Q(outcome=Code.VALID)
LIMITING = (Code.VALID, Code.RATE_LIMITED, Code.USAGE_EXCEEDED)
"""Outcomes of requests that got as far as the limits."""
MOST_POINTS = 10_080
"""A week of minutes."""
BATCH = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def over_time(tenant_id: str, *, span: Span, since: datetime, until: datetime) -> list[Point]:
    """Give a tenant's points from ``since`` to before ``until``, the oldest first, those without a request too, in one query.

    Minutes are there for a week. Raises ValueError for more than :data:`MOST_POINTS`.
    """
    step, first = _STEPS[span], _cut(since, span)
    places = max(0, -(-(until - first) // step))
    if places > MOST_POINTS:
        raise ValueError(f"{places} points are more than {MOST_POINTS}")
    found: dict[datetime, dict[str, Any]] = {}
    rows = (
        _within(span, since, until).filter(tenant_id=tenant_id).values_list(span.value, "outcome", "refused_by", "requests", "cost")
    )
    for at, outcome, refused_by, requests, cost in rows.order_by():
        moment = at if isinstance(at, datetime) else datetime.combine(at, time(), UTC)
        one = found.setdefault(moment, {"allowed": 0, "refused": 0, "cost": 0, "refusals": {}})
        if outcome == Code.VALID:
            one["allowed"] += requests
            one["cost"] += cost
        else:
            one["refused"] += requests
            why = reason_of(outcome, refused_by)
            one["refusals"][why] = one["refusals"].get(why, 0) + requests
    moments = (first + place * step for place in range(places))
    return [Point(moment, **found.get(moment, {})) for moment in moments]


def top_tenants(*, since: datetime, until: datetime, by: Rank = Rank.LOAD, most: int = 10, capacity: int = 0) -> list[Load]:
    """Give the tenants with most load or most refusals in a window, the loudest first, in three queries.

    ``capacity`` is cost a second, of which shares are then told. A window of more than six hours is counted in whole hours.
    """
    span = Span.MINUTE if until - since <= timedelta(hours=6) else Span.HOUR
    rows = _within(span, since, until).order_by()
    sums = {
        "allowed": Sum("requests", filter=ALLOWED, default=0),
        "refused": Sum("requests", filter=~ALLOWED, default=0),
        "used": Sum("cost", filter=ALLOWED, default=0),
    }
    key = "used" if by is Rank.LOAD else "refused"
    loud = list(rows.values("tenant_id").annotate(**sums).filter(**{f"{key}__gt": 0}).order_by(f"-{key}", "tenant_id")[:most])
    whole = rows.aggregate(used=sums["used"])["used"]
    if capacity:
        begins = _cut(since, span)
        whole = capacity * max(1, round((until - begins).total_seconds()))
    why = _loudest_reasons(rows.filter(tenant_id__in=[row["tenant_id"] for row in loud]))
    return [
        Load(
            tenant_id=row["tenant_id"],
            allowed=row["allowed"],
            refused=row["refused"],
            cost=row["used"],
            share=row["used"] / whole if whole else 0.0,
            refused_by=why.get(row["tenant_id"], ""),
        )
        for row in loud
    ]


def refusals_of(tenant_id: str, *, since: datetime, until: datetime) -> list[Refusals]:
    """Give a tenant's refusals by reason, the most frequent first, in one query; counted in whole hours."""
    rows = _within(Span.HOUR, since, until).filter(tenant_id=tenant_id).exclude(ALLOWED).order_by()
    found = rows.values_list("outcome", "refused_by").annotate(asked=Sum("requests"), spent=Sum("cost"))
    return [Refusals(*row) for row in found.order_by("-asked", "outcome", "refused_by")]


def used_of(tenant_ids: Iterable[str], now: datetime) -> dict[str, Used]:
    """Give the cost that was admitted in the UTC day and month of ``now``, for each of these; one query for a thousand of them.

    It is what a rebuild of the counters in Redis begins with: what was counted until the last roll-up, so seldom more than was used, and then by no
    more than came in the second before the period began.
    """
    today = now.astimezone(UTC).date()
    ids, found = list(tenant_ids), {}
    rows = UsageDay.objects.filter(ALLOWED, day__gte=today.replace(day=1), day__lte=today).order_by()
    for start in range(0, len(ids), BATCH):
        some = rows.filter(tenant_id__in=ids[start : start + BATCH]).values_list("tenant_id")
        for tenant_id, day, month in some.annotate(day_=Sum("cost", filter=Q(day=today), default=0), month=Sum("cost")):
            found[tenant_id] = Used(day, month)
    return {tenant_id: found.get(tenant_id, Used()) for tenant_id in ids}


def quota_uses_of(
    tenants: Iterable[Tenant], now: datetime, *, limits: Mapping[str, Limits] | None = None
) -> dict[str, list[QuotaUse]]:
    """Give how ``quota-day`` and ``quota-month`` of each tenant stand, by its id, in two queries; their tiers should be joined.

    ``limits`` are those that hold, by tenant id, where the caller knows them; one query less.
    """
    tenants = list(tenants)
    limits = effective_limits_of(tenants, now=now) if limits is None else limits
    used = used_of([tenant.pk for tenant in tenants], now)
    uses = {}
    for tenant in tenants:
        holding, spent = limits[tenant.pk], used[tenant.pk]
        uses[tenant.pk] = [
            _quota_use("quota-day", Period.DAY, spent.day, holding.quota_per_day, now),
            _quota_use("quota-month", Period.MONTH, spent.month, holding.quota_per_month, now),
        ]
    return uses


def refused_of_versions(version_ids: Collection[str], *, since: datetime) -> dict[str, dict[str, int]]:
    """Give how often each version was refused since an hour (UTC), by outcome; those that never were are not in it. One query.

    What was admitted, and when each was last used, is told by :func:`tenants.keys.evidence.uses_of`, which the same roll-up feeds.
    """
    rows = VersionHour.objects.filter(version_id__in=version_ids, hour__gte=_cut(since, Span.HOUR)).order_by()
    found: dict[str, dict[str, int]] = {}
    for version_id, outcome, requests in rows.values_list("version_id", "outcome").annotate(asked=Sum("requests")):
        found.setdefault(version_id, {})[outcome] = requests
    return found


def minutes_of(tenant_id: str, *, since: datetime, until: datetime) -> list[Minute]:
    """Give what a tenant asked of its limits by minute, admitted or not, the oldest first, for a replay; empty minutes are left out. One query."""
    rows = _within(Span.MINUTE, since, until).filter(tenant_id=tenant_id, outcome__in=LIMITING).order_by()
    asked = rows.values_list("minute").annotate(asked=Sum("requests"), spent=Sum("cost")).order_by("minute")
    return [Minute((minute - _EPOCH) // timedelta(microseconds=1), requests, cost) for minute, requests, cost in asked]


def list_thresholds(*, tenant_id: str = "") -> QuerySet[ThresholdReached]:
    """Give the thresholds that were reached, newest first."""
    rows = ThresholdReached.objects.select_related("tenant")
    return rows.filter(tenant_id=tenant_id) if tenant_id else rows


_STEPS = {Span.MINUTE: timedelta(minutes=1), Span.HOUR: timedelta(hours=1), Span.DAY: timedelta(days=1)}
_MODELS: Mapping[Span, Any] = {Span.MINUTE: UsageMinute, Span.HOUR: UsageHour, Span.DAY: UsageDay}


def _cut(moment: datetime, span: Span) -> datetime:
    moment = moment.astimezone(UTC)
    return moment - (moment - _EPOCH) % _STEPS[span]


def _within(span: Span, since: datetime, until: datetime) -> QuerySet[Any]:
    first, end = _cut(since, span), until.astimezone(UTC)
    if span is Span.DAY:
        # A day that ``until`` lies within is asked for; one that begins with it is not.
        return UsageDay.objects.filter(day__gte=first.date(), day__lte=(end - timedelta(microseconds=1)).date())
    rows: QuerySet[Any] = _MODELS[span].objects.filter(**{f"{span.value}__gte": first, f"{span.value}__lt": end})
    return rows


def _loudest_reasons(rows: QuerySet[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    asked = rows.exclude(ALLOWED).values_list("tenant_id", "outcome", "refused_by").annotate(asked=Sum("requests"))
    for tenant_id, outcome, refused_by, _ in asked.order_by("tenant_id", "-asked", "outcome", "refused_by"):
        found.setdefault(tenant_id, reason_of(outcome, refused_by))
    return found


def _quota_use(name: str, period: Period, used: int, allowance: int | None, now: datetime) -> QuotaUse:
    number = period.number((now - _EPOCH) // timedelta(microseconds=1))
    begins, ends = (_EPOCH + timedelta(microseconds=us) for us in (period.begins_us(number), period.ends_us(number)))
    return QuotaUse(name, used, allowance, begins, ends)
