"""What this process knows of keys and tenants: a bounded copy of the projection's records, dropped the moment somebody says that they changed.

A key's text is never kept: entries are found by a BLAKE2b of it under a salt of this process. Whoever guesses at keys learns nothing from how
long the look-up takes, and a dump of the memory holds no key. What is not known is remembered as well, for a while, so that a wrong key costs
Redis nothing when it comes again; it too is dropped when a record of that name appears.

A record may change while it is being read: a reading that was overtaken by a change is begun again.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from hashlib import blake2b
from typing import Any

from controlplane.edge.leases import Lease
from controlplane.edge.line import AwayError, Line
from tenants.keys import cidrs, tokens
from tenants.keys.codes import Code
from tenants.limits import projection
from tenants.limits.board import EPOCH
from tenants.limits.projection import EPOCH_BYTES, HALF, PREFIX, STAMP_BYTES, KeyRecord, Kind, Standing, TenantRecord
from tenants.usage.tally import Count

FRESH_SECONDS = 60.0
"""After so long a record is read again though nobody said that it changed."""
UNKNOWN_SECONDS = 10.0
INCOMPLETE_SECONDS = 1.0
MOST_KEYS = 100_000
READINGS = 4
_PLACE = len(PREFIX) + EPOCH_BYTES
"""Where in a record's name begins what does not hang on the epoch."""


class UnbuiltError(Exception):
    """The projection is missing, or is another than this process knows: nothing can be looked up."""


class OvertakenError(Exception):
    """What was read has changed while it was being read."""


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


class Known:
    """All that is known, for one event loop. :meth:`find` answers from memory, :meth:`read` asks Redis."""

    def __init__(
        self, peppers: Mapping[int, bytes], *, most: int = MOST_KEYS, lock: AbstractContextManager[object] | None = None
    ) -> None:
        self._peppers = tuple(pepper for _, pepper in sorted(peppers.items(), reverse=True))
        self.salt = secrets.token_bytes(32)
        self._most = most
        self.lock = lock or nullcontext()
        self.keys: dict[bytes, KnownKey] = {}
        self.tenants: dict[bytes, KnownTenant] = {}
        self.leases: dict[tuple[str, str], Lease] = {}
        self._places: dict[bytes, bytes] = {}
        self._words: dict[bytes, tuple[str, ...]] = {}
        self._readings: dict[bytes, asyncio.Task[KnownKey]] = {}
        self._changes, self._in_flight, self._begun = 0, 0, 0
        self._changed: dict[bytes, int] = {}
        self.line: Line | None = None
        self.pointer: bytes | None = None
        self.epoch: bytes | None = None

    def fingerprint(self, text: bytes) -> bytes:
        """Give what a text is found by in this process."""
        return blake2b(self.salt + text).digest()

    def find(self, text: bytes) -> KnownKey | None:
        """Give what is known of a text, fresh or not."""
        return self.keys.get(self.fingerprint(text))

    @staticmethod
    def may_be_a_key(text: bytes) -> bool:
        """Say whether a text can be a key at all; what cannot (a typo in one of ours) is told by its checksum, and nobody is asked."""
        presented = _decoded(text)
        return tokens.parse_token(presented) is not None or bool(tokens.foreign_hash(presented))

    def begin(self, line: Line, pointer: bytes | None, epoch: bytes | None) -> None:
        """Take up a line. When an epoch holds, all that was known is forgotten: it may be older than what was said while nobody listened."""
        is_another = pointer != self.pointer
        self.line, self.pointer, self.epoch = line, pointer, epoch
        self._begun += 1
        if epoch is not None:
            self.keys.clear()
            self._places.clear()
            for tenant in self.tenants.values():
                tenant.is_stale = True
            self.tenants.clear()
            self._changes += 1
            self._changed.clear()
        if epoch is not None and is_another:  # Redis may have lost what was spent
            with self.lock:
                for lease in self.leases.values():
                    lease.lose()

    def forget(self, name: bytes) -> None:
        """Drop what a record was about, in whatever epoch it was written: it has changed."""
        self._changes += 1
        name = name[_PLACE:]
        if self._in_flight:
            self._changed[name] = self._changes
        place = self._places.pop(name, None)
        if place is not None:
            self._drop(place)
        tenant = self.tenants.pop(name, None)
        if tenant is not None:
            tenant.is_stale = True

    async def read(self, text: bytes) -> KnownKey:
        """Read what Redis knows of a text, once for all that ask at the same time. Raises AwayError, UnbuiltError."""
        place = self.fingerprint(text)
        reading = self._readings.get(place)
        if reading is None:
            reading = asyncio.get_running_loop().create_task(self._read(place, text))
            self._readings[place] = reading
            reading.add_done_callback(lambda task: self._end(place, task))
        return await asyncio.shield(reading)

    def _end(self, place: bytes, task: asyncio.Task[KnownKey]) -> None:
        self._readings.pop(place, None)
        if not task.cancelled():
            task.exception()  # whoever asked has it; nobody may be left

    async def _read(self, place: bytes, text: bytes) -> KnownKey:
        digests = self._digests(text)
        if not digests:
            return KnownKey((), 0.0)
        self._in_flight += 1
        try:
            for _ in range(READINGS):
                since = self._begun, self._changes
                try:
                    known = await self._read_once(digests)
                except OvertakenError:
                    continue
                if not self._is_overtaken(known.names, since) and (known.tenant is None or not known.tenant.is_stale):
                    self._keep(place, known)
                    return known
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._changed.clear()
        raise AwayError("what was read changed faster than it could be read")

    def _is_overtaken(self, names: Sequence[bytes], since: tuple[int, int]) -> bool:
        """Whether one of these was told since then. Under another line or epoch nothing counts that was begun before."""
        begun, changes = since
        return begun != self._begun or any(self._changed.get(name, 0) > changes for name in names)

    async def _read_once(self, digests: Sequence[bytes]) -> KnownKey:
        now = time.monotonic()
        names = [Kind.KEY.value + digest[:HALF] for digest in digests]
        records = await self._get(names)
        for digest, record in zip(digests, records, strict=True):
            found = projection.unpack_key(record, digest) if record is not None else None
            if found is not None and record is not None and hmac.compare_digest(found.digest, digest):
                return await self._complete(names, found, projection.scopes_in(record), now)
        return KnownKey(names, now + UNKNOWN_SECONDS)

    async def _complete(self, names: Sequence[bytes], found: KeyRecord, scopes_id: bytes, now: float) -> KnownKey:
        """Put tenant and scopes to a record; what is incomplete admits nobody, and is read again soon."""
        name = Kind.TENANT.value + projection.pack_id(found.tenant_id)
        tenant, words = self._fresh_tenant(name, now), self._words.get(scopes_id)
        if scopes_id == projection.NO_SCOPES:
            words = ()
        if tenant is None or words is None:
            since = self._begun, self._changes
            records = await self._get([name, Kind.SCOPES.value + scopes_id])
            if self._is_overtaken([name], since):
                raise OvertakenError
            # Another key of the same tenant may have been read at the same time: what that has brought is used.
            tenant = self._fresh_tenant(name, now) or self._tenant(found.tenant_id, name, records[0], now)
            if words is None and records[1] is not None:
                words = projection.unpack_scopes(records[1][STAMP_BYTES:])
                if len(self._words) >= self._most:
                    self._words.pop(next(iter(self._words)))
                self._words[scopes_id] = words
        is_complete = tenant is not None and words is not None
        known = KnownKey(names, now + (FRESH_SECONDS if is_complete else INCOMPLETE_SECONDS))
        if tenant is not None:
            self._fill(known, tenant, found, words or (), now)
        return known

    def _fill(self, known: KnownKey, tenant: KnownTenant, found: KeyRecord, words: tuple[str, ...], now: float) -> None:
        known.tenant, known.key_id, known.number, known.scopes = tenant, found.key_id, found.number, words
        known.networks = tuple(ipaddress.ip_network(text) for text in found.cidrs)
        known.ends = now + (found.ends_at - time.time())
        is_served = tenant.record.standing is Standing.SERVED and found.standing is Standing.SERVED
        known.code = Code.DISABLED if not is_served else Code.VALID if now < known.ends else Code.EXPIRED
        if now < known.ends:
            known.until = min(known.until, known.ends)
        known.lease = tenant.lease if found.limits is None else self._lease(tenant.id, found.key_id, tenant.record, found)
        known.tenant_id = tenant.id
        known.count = Count((tenant.id, found.key_id, found.number, Code.VALID.value, ""))

    def _fresh_tenant(self, name: bytes, now: float) -> KnownTenant | None:
        tenant = self.tenants.get(name)
        return tenant if tenant is not None and now < tenant.until else None

    def _tenant(self, tenant_id: str, name: bytes, record: bytes | None, now: float) -> KnownTenant | None:
        """Take up a tenant as it was read, in the place of what was known of it."""
        old = self.tenants.pop(name, None)
        if old is not None:
            old.is_stale = True
        found = projection.unpack_tenant(record) if record is not None else None
        if found is None:
            return None
        tenant = KnownTenant(tenant_id, name, found, self._lease(tenant_id, "", found, None), now + FRESH_SECONDS)
        if len(self.tenants) >= self._most:
            self.tenants.pop(next(iter(self.tenants))).is_stale = True
        self.tenants[name] = tenant
        return tenant

    def _lease(self, tenant_id: str, key_id: str, tenant: TenantRecord, key: KeyRecord | None) -> Lease:
        """The lease of a tenant, or of a key with limits of its own, under the limits that hold now; what it holds outlives a reading."""
        lease = self.leases.get((tenant_id, key_id))
        if lease is None:
            if len(self.leases) >= self._most:
                self.leases.pop(next(iter(self.leases)))
            lease = self.leases[tenant_id, key_id] = Lease(tenant_id, key_id)
        with self.lock:
            lease.hold_to(tenant.limits, key.limits if key is not None else None)
        return lease

    def _keep(self, place: bytes, known: KnownKey) -> None:
        self._drop(place)
        while len(self.keys) >= self._most:
            self._drop(next(iter(self.keys)))
        self.keys[place] = known
        for name in known.names:
            self._places[name] = place

    def _drop(self, place: bytes) -> None:
        known = self.keys.pop(place, None)
        for name in known.names if known is not None else ():
            self._places.pop(name, None)

    def _digests(self, text: bytes) -> list[bytes]:
        """What a text may be stored as, newest pepper first; nothing for one that cannot be a key, which Redis is not asked for."""
        presented = _decoded(text)
        kept = presented if tokens.parse_token(presented) is not None else tokens.foreign_hash(presented)
        return [bytes.fromhex(tokens.digest_of(kept, pepper)) for pepper in self._peppers] if kept else []

    async def _get(self, names: Sequence[bytes]) -> list[bytes | None]:
        """Read records of the epoch that this process knows, and make sure that it still holds."""
        line, epoch = self.line, self.epoch
        if line is None:
            raise AwayError("there is no line to Redis yet")
        if epoch is None:
            raise UnbuiltError
        pointer, values = await asyncio.gather(
            line.call("GET", EPOCH), line.call("MGET", *(PREFIX + epoch + name for name in names))
        )
        if pointer is None or pointer != self.pointer:
            raise UnbuiltError
        found: list[Any] = values
        return found


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")
