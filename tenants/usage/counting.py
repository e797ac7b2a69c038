"""Adding batches up: from counters of edges to rows, inside the caller's transaction.

All counting reaches rows in one order (minutes, hours, days, versions' refusals, then keys' uses; each by its ids), so two who count at once never
wait for each other in a circle.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from core.statements import AddUp
from tenants.keys import evidence
from tenants.keys.codes import Code
from tenants.usage.batches import Contents, CountKey
from tenants.usage.known import Known, Owned
from tenants.usage.models import UsageDay, UsageHour, UsageMinute, VersionHour

logger = logging.getLogger(__name__)

Sums = dict[CountKey, tuple[int, int]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BY_OUTCOME, _NUMBERS = ["outcome", "refused_by"], ["requests", "cost"]
_ADD_MINUTES = AddUp(UsageMinute, ["tenant_id", "minute", *_BY_OUTCOME], _NUMBERS)
_ADD_HOURS = AddUp(UsageHour, ["tenant_id", "hour", *_BY_OUTCOME], _NUMBERS)
_ADD_DAYS = AddUp(UsageDay, ["tenant_id", "day", *_BY_OUTCOME], _NUMBERS)
_ADD_VERSIONS = AddUp(VersionHour, ["version_id", "hour", "outcome"], ["requests"])


def add_up(batches: Iterable[Contents], known: Known, now: datetime) -> set[str]:
    """Add batches that nobody has counted yet to the rows; gives the tenants that they are of. Raises DatabaseError.

    A batch whose clock is ahead of ours counts for now. What is of no tenant, or of a key that is another tenant's, is left out and told.
    """
    minutes = {minute: _owned(sums, known) for minute, sums in _by_minute(batches, now).items()}
    _add_tenants(minutes)
    _add_keys(minutes, known)
    return {tenant_id for counted in minutes.values() for (tenant_id, *_), _, _ in counted}


def _by_minute(batches: Iterable[Contents], now: datetime) -> dict[datetime, Sums]:
    found: dict[datetime, Sums] = defaultdict(dict)
    for batch in batches:
        at = min(_EPOCH + timedelta(milliseconds=batch.at_ms), now)
        sums = found[at.replace(second=0, microsecond=0)]
        for key, requests, cost in batch.rows:
            known = sums.get(key)
            sums[key] = (requests, cost) if known is None else (known[0] + requests, known[1] + cost)
    return found


_Counted = list[tuple[CountKey, tuple[int, int], Owned | None]]


def _owned(sums: Sums, known: Known) -> _Counted:
    """Those that may be counted, each with the version that it names; None where no such version is known."""
    tenants = known.tenants({key[0] for key in sums})
    versions = known.versions({(key[1], key[2]) for key in sums if key[1]})
    counted: _Counted = []
    strange = 0
    for key, numbers in sums.items():
        owned = versions.get((key[1], key[2]))
        if key[0] not in tenants or (owned is not None and owned.tenant_id != key[0]):
            strange += numbers[0]
        else:
            counted.append((key, numbers, owned))
    if strange:
        logger.error("usage of no tenant, or of another tenant's key, was left out", extra={"requests": strange})
    return counted


def _add_tenants(minutes: Mapping[datetime, _Counted]) -> None:
    by_minute: dict[tuple[str, datetime, str, str], tuple[int, int]] = {}
    for minute, counted in minutes.items():
        for (tenant_id, _, _, outcome, limit), (requests, cost), _ in counted:
            place = (tenant_id, minute, outcome, limit)
            asked, spent = by_minute.get(place, (0, 0))
            by_minute[place] = (asked + requests, spent + cost)
    by_hour: dict[tuple[str, datetime, str, str], tuple[int, int]] = {}
    by_day: dict[tuple[object, ...], tuple[int, int]] = {}
    for (tenant_id, minute, outcome, limit), (requests, cost) in by_minute.items():
        asked, spent = by_hour.get((tenant_id, minute.replace(minute=0), outcome, limit), (0, 0))
        by_hour[tenant_id, minute.replace(minute=0), outcome, limit] = (asked + requests, spent + cost)
        asked, spent = by_day.get((tenant_id, minute.date(), outcome, limit), (0, 0))
        by_day[tenant_id, minute.date(), outcome, limit] = (asked + requests, spent + cost)
    _ADD_MINUTES(by_minute)
    _ADD_HOURS(by_hour)
    _ADD_DAYS(by_day)


def _add_keys(minutes: Mapping[datetime, _Counted], known: Known) -> None:
    refused, used, costs = Counter[tuple[str, datetime, str]](), Counter[tuple[str, datetime]](), Counter[tuple[str, datetime]]()
    owners: dict[str, tuple[str, str]] = {}
    seen: dict[str, datetime] = {}
    for minute, counted in sorted(minutes.items()):
        for (_, _, _, outcome, _), (requests, cost), owned in counted:
            if owned is None:
                continue
            if outcome == Code.VALID:
                used[owned.version_id, minute] += requests
                costs[owned.version_id, minute] += cost
                owners[owned.version_id] = (owned.key_id, owned.tenant_id)
                seen[owned.version_id] = minute
            else:
                refused[owned.version_id, minute.replace(minute=0), outcome] += requests
    _ADD_VERSIONS({place: (requests,) for place, requests in refused.items()})
    evidence.add_uses(used, owners, costs)
    _see(seen, known)


def _see(seen: Mapping[str, datetime], known: Known) -> None:
    """Note last uses, last of all, because it waits for nobody and is worth no waiting."""
    due: dict[datetime, list[str]] = defaultdict(list)
    for version_id, minute in seen.items():
        noted = known.seen.get(version_id)
        if noted is None or noted < minute:
            due[minute].append(version_id)
    for minute, version_ids in sorted(due.items()):
        evidence.see(version_ids, minute)
        known.seen.update(dict.fromkeys(version_ids, minute))
