"""Looks up in Redis what this process does not know of a key and its tenant, once for all that ask at the same time.

A record may change while it is being read: a reading that was overtaken by a change is begun again.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from controlplane.edge.known import Known, KnownKey, KnownTenant
from controlplane.edge.line import AwayError
from tenants.keys import tokens
from tenants.keys.codes import Code
from tenants.limits import projection
from tenants.limits.board import EPOCH
from tenants.limits.projection import HALF, PREFIX, STAMP_BYTES, KeyRecord, Kind, Standing
from tenants.usage.tally import Count

FRESH_SECONDS = 60.0
"""After so long a record is read again though nobody said that it changed."""
UNKNOWN_SECONDS = 10.0
INCOMPLETE_SECONDS = 1.0
READINGS = 4


class UnbuiltError(Exception):
    """The projection is missing, or is another than this process knows: nothing can be looked up."""


class OvertakenError(Exception):
    """What was read has changed while it was being read."""


def may_be_a_key(text: bytes) -> bool:
    """Say whether a text can be a key at all; what cannot (a typo in one of ours) is told by its checksum, and nobody is asked."""
    return bool(_kept(text))


class Lookups:
    """Fills ``known``, for one event loop. ``peppers`` are those of the keys, by number."""

    def __init__(self, known: Known, peppers: Mapping[int, bytes]) -> None:
        self._known = known
        self._peppers = tuple(pepper for _, pepper in sorted(peppers.items(), reverse=True))
        self._words: OrderedDict[bytes, tuple[str, ...]] = OrderedDict()
        self._readings: dict[bytes, asyncio.Task[KnownKey]] = {}

    async def read(self, text: bytes) -> KnownKey:
        """Read what Redis knows of a text. Raises AwayError, UnbuiltError."""
        place = self._known.fingerprint(text)
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
        changes = self._known.changes
        with changes:
            for _ in range(READINGS):
                mark = changes.mark
                try:
                    found = await self._read_once(digests)
                except OvertakenError:
                    continue
                if not changes.touch(found.names, mark) and not (found.tenant is not None and found.tenant.is_stale):
                    self._known.keep(place, found)
                    return found
        raise AwayError("what was read changed faster than it could be read")

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
        """Put tenant and scopes to a record; without its tenant nobody is admitted, without its words it has no scopes; both are read again soon."""
        name = Kind.TENANT.value + projection.pack_id(found.tenant_id)
        tenant, words = self._known.find_tenant(name, now), self._words.get(scopes_id)
        if scopes_id == projection.NO_SCOPES:
            words = ()
        if tenant is None or words is None:
            mark = self._known.changes.mark
            records = await self._get([name, Kind.SCOPES.value + scopes_id])
            if self._known.changes.touch([name], mark):
                raise OvertakenError
            # Another key of the same tenant may have been read at the same time: what that has brought is used.
            tenant = self._known.find_tenant(name, now) or self._tenant(found.tenant_id, name, records[0], now)
            if words is None and records[1] is not None:
                words = self._keep_words(scopes_id, projection.unpack_scopes(records[1][STAMP_BYTES:]))
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
        known.lease = tenant.lease
        if found.limits is not None:
            known.lease = self._known.lease_of(tenant.id, found.key_id, tenant.record, found.limits)
        known.tenant_id = tenant.id
        known.count = Count((tenant.id, found.key_id, found.number, Code.VALID.value, ""))

    def _tenant(self, tenant_id: str, name: bytes, record: bytes | None, now: float) -> KnownTenant | None:
        found = projection.unpack_tenant(record) if record is not None else None
        return self._known.keep_tenant(tenant_id, name, found, now + FRESH_SECONDS)

    def _keep_words(self, scopes_id: bytes, words: tuple[str, ...]) -> tuple[str, ...]:
        if len(self._words) >= self._known.most:
            self._words.popitem(last=False)
        self._words[scopes_id] = words
        return words

    def _digests(self, text: bytes) -> list[bytes]:
        """What a text may be stored as, newest pepper first; nothing for one that cannot be a key, which Redis is not asked for."""
        kept = _kept(text)
        return [bytes.fromhex(tokens.digest_of(kept, pepper)) for pepper in self._peppers] if kept else []

    async def _get(self, names: Sequence[bytes]) -> list[bytes | None]:
        """Read records of the epoch that this process knows, and make sure that it still holds."""
        line, epoch = self._known.line, self._known.epoch
        if line is None:
            raise AwayError("there is no line to Redis yet")
        if epoch is None:
            raise UnbuiltError
        pointer, values = await asyncio.gather(
            line.call("GET", EPOCH), line.call("MGET", *(PREFIX + epoch + name for name in names))
        )
        if pointer is None or pointer != self._known.pointer:
            raise UnbuiltError
        found: list[Any] = values
        return found


def _kept(text: bytes) -> str:
    """What is kept of a text that can be a key, before the pepper; empty for one that cannot."""
    presented = text.decode("utf-8", "surrogateescape")
    return presented if tokens.parse_token(presented) is not None else tokens.foreign_hash(presented)
