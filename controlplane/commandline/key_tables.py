"""Keys as tables for a terminal. A text is never in them: what there is to show is its visible start and its last four characters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from rich.markup import escape
from rich.table import Table

from controlplane.commandline.key_lookup import start_of
from tenants.keys import evidence, selectors
from tenants.keys.models import ApiKey, KeyVersion, Stage


def moment(value: datetime | None, otherwise: str = "") -> str:
    """Give a time in UTC to the second."""
    return f"{value:%Y-%m-%d %H:%M:%S}Z" if value else otherwise


def of_keys(keys: Iterable[ApiKey]) -> Table:
    """Give keys of any tenants; their open versions are joined."""
    table = Table("key", "tenant", "name", "start", "state", "version", "last used", "expires", "store")
    for key in keys:
        current, used = selectors.current_of(key), [v.last_used_at for v in key.versions.all() if v.last_used_at]
        cells = (
            key.pk,
            key.tenant.slug,
            key.name,
            start_of(key),
            selectors.state_of(key) + (", leaked" if key.leaked_at else ""),
            _versions(key),
            moment(max(used, default=None), "never"),
            moment(current.expires_at if current else key.ended_at),
            key.store_state,
        )
        table.add_row(*(escape(cell) for cell in cells))
    return table


def of_versions(versions: Iterable[KeyVersion]) -> Table:
    """Give a key's lineage, with what each version is still doing."""
    rows = list(versions)
    used = evidence.uses_of([version.pk for version in rows])
    table = Table(
        "version", "stage", "ends in", "issued", "expires", "works until", "last used", "from", "2 h", "24 h", "retired because"
    )
    for version in rows:
        use = used[version.pk]
        until = min(version.retires_at or version.expires_at, version.expires_at) if version.stage == Stage.PREVIOUS else None
        table.add_row(
            str(version.number),
            version.stage,
            escape(version.last_four),
            moment(version.issued_at),
            moment(version.expires_at),
            moment(until) + (" or quiet" if until and version.retire_when_quiet else ""),
            moment(use.last_used_at, "never"),
            use.last_used_from or ("not noted" if use.last_used_at else ""),
            f"{use.calls_last_hour:,}",
            f"{use.calls_last_day:,}",
            version.retired_because,
        )
    return table


def of_peppers(counts: Mapping[int, int], known: Iterable[int]) -> tuple[Table, list[int]]:
    """Give how many versions stand under each pepper and what that means; the second part names those that the settings lack."""
    numbers = set(known)
    table = Table("pepper", "versions that may verify", "")
    for number in sorted(numbers | set(counts)):
        table.add_row(str(number), f"{counts.get(number, 0):,}", _meaning(number, counts.get(number, 0), numbers))
    return table, sorted(set(counts) - numbers)


def _meaning(number: int, count: int, known: set[int]) -> str:
    if number not in known:
        return "missing from the settings: these versions are refused"
    if number == max(known):
        return "new versions are digested under it"
    return "still needed" if count else "can be dropped from KEY_PEPPERS"


def _versions(key: ApiKey) -> str:
    current, previous = selectors.current_of(key), selectors.previous_of(key)
    return ", ".join(
        f"{version.number}{'' if version is current else ' until ' + moment(version.retires_at)}"
        for version in (current, previous)
        if version is not None
    )
