"""Which tenants and versions of keys there are: what a roll-up asks before it counts for them, and remembers, because neither ever changes.

A version stays its key's and a key its tenant's for ever, so what was found once is not asked for again. Bounded: full, it is forgotten as a whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from tenants.keys.models import KeyVersion
from tenants.models import Tenant

MOST = 100_000
BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Owned:
    """A version, and whose it is."""

    version_id: str
    key_id: str
    tenant_id: str


class Known:
    """One process's memory of tenants and versions."""

    def __init__(self) -> None:
        self._tenants: set[str] = set()
        self._versions: dict[tuple[str, int], Owned] = {}
        self.seen: dict[str, datetime] = {}
        """Until when the last use of a version was noted by this process, by the version's id."""

    def tenants(self, ids: Collection[str]) -> set[str]:
        """Give those of these that are tenants."""
        if len(self._tenants) > MOST:
            self._tenants = set()
        known = self._tenants
        for some in _batches(sorted(set(ids) - known)):
            known.update(Tenant.objects.filter(pk__in=some).values_list("pk", flat=True))
        return known & set(ids)

    def versions(self, names: Collection[tuple[str, int]]) -> dict[tuple[str, int], Owned]:
        """Give the versions that are called by these keys and numbers; those that there are not are not in it."""
        if len(self._versions) > MOST:
            self._versions, self.seen = {}, {}
        known = self._versions
        for some in _batches(sorted({key_id for key_id, number in names if (key_id, number) not in known})):
            rows = KeyVersion.objects.filter(key_id__in=some).values_list("pk", "key_id", "number", "key__tenant_id")
            for version_id, key_id, number, tenant_id in rows:
                known[key_id, number] = Owned(version_id, key_id, tenant_id)
        return {name: known[name] for name in names if name in known}


def _batches(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]
