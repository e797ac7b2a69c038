"""What this process knows of keys and tenants: a bounded copy of the projection's records, dropped the moment somebody says that they changed.

A key's text is never kept: entries are found by a BLAKE2b of it under a salt of this process. Whoever guesses at keys learns nothing from how
long the look-up takes, and a dump of the memory holds no key. What is not known is remembered as well, for a while, so that a wrong key costs
Redis nothing when it comes again; it too is dropped when a record of that name appears. Texts that are nobody's are kept apart, under a bound
of their own, so that whoever makes up keys pushes out nothing but what was made up. What fills it is :mod:`controlplane.edge.lookups`.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from hashlib import blake2b

from controlplane.edge.leases import Lease
from controlplane.edge.line import Line
from tenants.keys import cidrs
from tenants.keys.codes import Code
from tenants.limits.effective import KeyLimits
from tenants.limits.projection import EPOCH_BYTES, PREFIX, TenantRecord
from tenants.usage.tally import Count

MOST_KEYS = 100_000
GONE = float("-inf")
"""When a key is to be read again of which something has changed: whoever still holds what was known is not to go by it."""
UNKNOWN_PART = 10
"""One in so many of the keys that are kept is how many texts that are nobody's are kept beside them."""
_PLACE = len(PREFIX) + EPOCH_BYTES
"""Where in a record's name begins what does not hang on the epoch."""


class KnownTenant:
    """A tenant as the edge knows it. ``is_stale`` when something about it has changed since it was read; ``until`` is when it is read again.

    Of each tenant there is one at most that is not stale: who holds another would not be told.
    """

    __slots__ = ("id", "is_stale", "lease", "name", "record", "until")

    def __init__(self, tenant_id: str, name: bytes, record: TenantRecord, lease: Lease, until: float = float("inf")) -> None:
        self.id, self.name, self.record, self.lease, self.until = tenant_id, name, record, lease, until
        self.is_stale = False


class KnownKey:
    """One version of a key, or a text that is nobody's (``tenant`` is None then). Times are of the monotonic clock, in seconds.

    ``count`` counts what was admitted. ``until`` is when it must be read again; ``ends`` is when the version ends, whatever is read.
    """

    __slots__ = (
        "code",
        "count",
        "ends",
        "key_id",
        "lease",
        "names",
        "networks",
        "number",
        "scopes",
        "tenant",
        "tenant_id",
        "until",
    )

    def __init__(self, names: Sequence[bytes], until: float) -> None:
        self.names, self.until = names, until
        self.code = Code.NOT_FOUND
        self.tenant: KnownTenant | None = None
        self.key_id, self.number, self.ends = "", 0, float("inf")
        self.scopes: tuple[str, ...] = ()
        self.networks: tuple[cidrs.Network, ...] = ()
        self.lease: Lease | None = None
        self.tenant_id = ""
        self.count = Count(("", "", 0, Code.VALID.value, ""))


class Changes:
    """What has changed while something is being read. :attr:`mark` is where a reading begins, :meth:`touch` says whether it was overtaken."""

    def __init__(self) -> None:
        self._count, self._begun, self._open = 0, 0, 0
        self._told: dict[bytes, int] = {}

    @property
    def mark(self) -> tuple[int, int]:
        """The moment, to ask :meth:`touch` about later."""
        return self._begun, self._count

    def note(self, name: bytes) -> None:
        """A record of this name has changed."""
        self._count += 1
        if self._open:
            self._told[name] = self._count

    def begin(self) -> None:
        """Another line or epoch: nothing counts that was begun before."""
        self._begun += 1
        self._told.clear()

    def touch(self, names: Collection[bytes], mark: tuple[int, int]) -> bool:
        """Whether any of these has changed since a mark."""
        begun, count = mark
        return begun != self._begun or any(self._told.get(name, 0) > count for name in names)

    def __enter__(self) -> None:
        """A reading is under way: names are kept until the last has ended."""
        self._open += 1

    def __exit__(self, *_error: object) -> None:
        self._open -= 1
        if not self._open:
            self._told.clear()


class Known:
    """All that is known, for one event loop, which keeps at most ``most`` keys, tenants and leases each, and a tenth as many texts that are nobody's.

    ``keys`` are those that somebody has, ``unknown`` the texts that nobody has; no text is in both. ``lock`` is for threads that share it.
    With ``counts_in_flight`` requests in flight are counted of every tenant, not only where its limits or a key's say so.
    """

    def __init__(
        self, *, most: int = MOST_KEYS, lock: AbstractContextManager[object] | None = None, counts_in_flight: bool = False
    ) -> None:
        self.salt = secrets.token_bytes(32)
        self.most, self._counts_in_flight = most, counts_in_flight
        self.lock = lock or nullcontext()
        # Ordered ones, as the oldest of a plain dictionary is found behind all that were removed before it.
        self.keys: OrderedDict[bytes, KnownKey] = OrderedDict()
        self.unknown: OrderedDict[bytes, KnownKey] = OrderedDict()
        self.tenants: OrderedDict[bytes, KnownTenant] = OrderedDict()
        self.leases: OrderedDict[tuple[str, str], Lease] = OrderedDict()
        self._places: dict[bytes, bytes] = {}
        self.changes = Changes()
        self.line: Line | None = None
        self.pointer: bytes | None = None
        self.epoch: bytes | None = None

    def fingerprint(self, text: bytes) -> bytes:
        """Give what a text is found by in this process."""
        return blake2b(self.salt + text).digest()

    def find(self, text: bytes) -> KnownKey | None:
        """Give what is known of a text, fresh or not."""
        place = self.fingerprint(text)
        return self.keys.get(place) or self.unknown.get(place)

    def begin(self, line: Line, pointer: bytes | None, epoch: bytes | None) -> None:
        """Take up a line. When an epoch holds, all that was known is forgotten: it may be older than what was said while nobody listened."""
        is_another = pointer != self.pointer
        self.line, self.pointer, self.epoch = line, pointer, epoch
        self.changes.begin()
        if epoch is not None:
            for key in self.keys.values():
                key.until = GONE
            self.keys.clear()
            self.unknown.clear()
            self._places.clear()
            for tenant in self.tenants.values():
                tenant.is_stale = True
            self.tenants.clear()
        if epoch is not None and is_another:  # Redis may have lost what was spent
            with self.lock:
                for lease in self.leases.values():
                    lease.lose()

    def forget(self, name: bytes) -> None:
        """Drop what a record was about, in whatever epoch it was written: it has changed."""
        name = name[_PLACE:]
        self.changes.note(name)
        place = self._places.pop(name, None)
        if place is not None:
            self._drop(place)
        tenant = self.tenants.pop(name, None)
        if tenant is not None:
            tenant.is_stale = True

    def keep(self, place: bytes, known: KnownKey) -> None:
        """Keep what was read of a text, by its fingerprint."""
        self._drop(place)
        among, most = (self.keys, self.most) if known.tenant is not None else (self.unknown, max(1, self.most // UNKNOWN_PART))
        while len(among) >= most:
            self._drop(next(iter(among)))
        among[place] = known
        for name in known.names:
            self._places[name] = place

    def find_tenant(self, name: bytes, now: float) -> KnownTenant | None:
        """Give a tenant by its record's name, unless it is to be read again."""
        tenant = self.tenants.get(name)
        return tenant if tenant is not None and now < tenant.until else None

    def keep_tenant(self, tenant_id: str, name: bytes, record: TenantRecord | None, until: float) -> KnownTenant | None:
        """Keep a tenant as it was read, in the place of what was known of it; None for one that is no more."""
        old = self.tenants.pop(name, None)
        if old is not None:
            old.is_stale = True
        if record is None:
            return None
        tenant = KnownTenant(tenant_id, name, record, self.lease_of(tenant_id, "", record, None), until)
        if len(self.tenants) >= self.most:
            self.tenants.popitem(last=False)[1].is_stale = True
        self.tenants[name] = tenant
        return tenant

    def lease_of(self, tenant_id: str, key_id: str, tenant: TenantRecord, key_limits: KeyLimits | None) -> Lease:
        """Give the lease of a tenant, or of a key with limits of its own, under the limits that hold now; what it holds outlives a reading."""
        lease = self.leases.get((tenant_id, key_id))
        if lease is None:
            if len(self.leases) >= self.most:
                self.leases.popitem(last=False)
            lease = self.leases[tenant_id, key_id] = Lease(tenant_id, key_id)
        with self.lock:
            lease.hold_to(tenant.limits, key_limits)
            lease.counts_in_flight = lease.counts_in_flight or self._counts_in_flight
        return lease

    def _drop(self, place: bytes) -> None:
        known = self.keys.pop(place, None) or self.unknown.pop(place, None)
        if known is None:
            return
        known.until = GONE
        for name in known.names:
            self._places.pop(name, None)
