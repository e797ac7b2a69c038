"""What lists and pages of keys show of each: rows made of what was joined. The number of queries does not depend on how many there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controlplane.portal import key_people, key_words
from controlplane.portal.key_spark import Spark, spark_of, total_of
from tenants.keys import evidence, selectors, words
from tenants.keys.evidence import Use
from tenants.keys.models import Algorithm, ApiKey, KeyState, KeyVersion, Stage, StoreState
from tenants.naming import key_secret
from tenants.selectors import facts_of

NO_USE = Use(None, "", 0, 0)
NO_CALLS = [0] * 24


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key as its row of the list. ``overlap_ends_at`` is there while a predecessor is accepted, ``expires_at`` while it lives."""

    key: ApiKey
    state: str
    start: str
    by: str
    last_used_at: datetime | None
    last_used_from: str
    expires_at: datetime | None
    nearness: str
    overlap_ends_at: datetime | None
    spark: Spark


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version as its row of the lineage."""

    version: KeyVersion
    stage_words: str
    by: str
    use: Use
    nearness: str
    works_until: datetime | None
    because: str


def lines_of(tenant_id: str, keys: Iterable[ApiKey], now: datetime) -> list[KeyLine]:
    """Make the rows of a list, in two queries: calls by hour, and names."""
    rows = [(key, list(key.versions.all())) for key in keys]
    hours = evidence.hours_of([version.pk for _, versions in rows for version in versions], now=now)
    names = key_people.names_of(tenant_id, (key.created_by for key, _ in rows))
    return [_line(key, versions, hours, names[key.created_by], now) for key, versions in rows]


def versions_of(key: ApiKey, versions: Sequence[KeyVersion], now: datetime) -> list[VersionLine]:
    """Make the rows of a key's lineage, in three queries."""
    used = evidence.uses_of([version.pk for version in versions], now=now)
    names = key_people.names_of(key.tenant_id, (version.created_by for version in versions))
    return [_version(version, used.get(version.pk, NO_USE), names[version.created_by], now) for version in versions]


def start_of(key: ApiKey, version: KeyVersion | None) -> str:
    """Give the visible start and end of a key's text, as people compare it: ``cpk_live_AbCd…1234``.

    Of an imported text only the end is known, and of a key that has ended only the start is shown.
    """
    end = version.last_four if version else ""
    if version is not None and version.algorithm == Algorithm.IMPORTED:
        return f"…{end}" if end else "imported"
    return words.start_of(key.brand, key.environment, key.public_id, end)


def secret_of(key: ApiKey) -> str:
    """Give the name of the key's secret in the tenant's Secrets Manager; nothing where there is none."""
    if not key.is_living or key.store_state == StoreState.EMPTY:
        return ""
    return key_secret(facts_of(key.tenant), key.pk)


def overlap_end(version: KeyVersion | None) -> datetime | None:
    """Give the end of a previous version's overlap, which is never later than its own."""
    return min(version.retires_at or version.expires_at, version.expires_at) if version else None


def _line(key: ApiKey, versions: Sequence[KeyVersion], hours: Mapping[str, Sequence[int]], by: str, now: datetime) -> KeyLine:
    current, previous = selectors.at_stage(versions, Stage.CURRENT), selectors.at_stage(versions, Stage.PREVIOUS)
    used = [version for version in versions if version.last_used_at is not None]
    latest = max(used, key=lambda version: version.last_used_at or now) if used else None
    state = selectors.state_with(key, current, now)
    expires_at = current.expires_at if current else None
    until = overlap_end(previous)
    return KeyLine(
        key=key,
        state=state,
        start=start_of(key, current),
        by=by,
        last_used_at=latest.last_used_at if latest else None,
        last_used_from=(latest.last_used_from or "") if latest else "",
        expires_at=expires_at,
        nearness=words.nearness(expires_at, now) if state == KeyState.ACTIVE else "",
        overlap_ends_at=until if until is not None and until > now and state != KeyState.EXPIRED else None,
        spark=spark_of(total_of([hours.get(version.pk, NO_CALLS) for version in versions]) or NO_CALLS),
    )


def _version(version: KeyVersion, use: Use, by: str, now: datetime) -> VersionLine:
    is_previous = version.stage == Stage.PREVIOUS
    return VersionLine(
        version=version,
        stage_words=key_words.STAGE_WORDS.get(version.stage, ""),
        by=by,
        use=use,
        nearness=words.nearness(version.expires_at, now) if version.stage == Stage.CURRENT else "",
        works_until=overlap_end(version) if is_previous else None,
        because=words.because(version.retired_because) if version.retired_because else "",
    )
