"""One question, one answer: whose key is it, is it good for this, and do its limits have room. What every door asks.

:meth:`Judge.ask` answers from what this process has at hand, without waiting; :meth:`Judge.decide` asks Redis for what is missing. The order is
that of :mod:`tenants.keys.verification`: the text, tenant and key, the version's time, address, scopes; then the limits. Nothing is spent by a
request that is refused.

While Redis is not heard within the bound, nothing new is learnt. A tenant whose tier is *open* goes on with the keys and limits that were
known last, each process with its part of the rate, for :data:`OPEN_SECONDS` at most; of all others it is said that the edge does not know.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from hashlib import blake2b
from time import monotonic

from redis.exceptions import RedisError

from controlplane.edge.alone import Alone
from controlplane.edge.asking import Ask, Trouble, Verdict
from controlplane.edge.draws import Draws
from controlplane.edge.hearing import Hearing
from controlplane.edge.known import Known, KnownKey
from controlplane.edge.leases import Held
from controlplane.edge.line import AwayError
from controlplane.edge.lookups import Lookups, UnbuiltError, may_be_a_key
from controlplane.edge.passes import Pass
from tenants.facts import FailPolicy
from tenants.keys import cidrs
from tenants.keys.codes import Code
from tenants.usage.tally import Tally

logger = logging.getLogger(__name__)
TELL_SECONDS = 10.0
PATIENCE_SECONDS = 0.25
OPEN_SECONDS = 300.0
"""For how long an open tier is served by a process that hears nothing."""
VALID = Code.VALID  # looking a member up by its enumeration's name takes a tenth of the time of a decision


class Judge:
    """The judge of one process, for one event loop."""

    def __init__(
        self,
        known: Known,
        lookups: Lookups,
        hearing: Hearing,
        tally: Tally,
        *,
        capacity: int = 0,
        slots: int = 0,
        processes: int = 1,
    ) -> None:
        self.known, self.hearing, self.tally = known, hearing, tally
        self._lookups = lookups
        self._draws = Draws(known, capacity, slots)
        self._salt = known.salt
        self._alone = Alone(processes)
        self._told_at = -TELL_SECONDS

    def ask(self, ask: Ask) -> Verdict | None:
        """Answer from what is at hand, without waiting; None when Redis must be asked. Where threads share a judge, under ``known.lock``."""
        now = monotonic()
        if now >= self.hearing.heard_until:
            return None
        key = self.known.keys.get(place := blake2b(self._salt + ask.text).digest())
        if key is None and (key := self.known.unknown.get(place)) is None:
            return None if may_be_a_key(ask.text) else Verdict(Code.NOT_FOUND)
        tenant, lease = key.tenant, key.lease
        if now >= key.until or (tenant is not None and tenant.is_stale):
            return None
        code = key.code if key.code is not VALID or not (key.networks or ask.scopes) else self._fits(key, ask)
        if code is not VALID or lease is None:
            return self._refused(key, ask, code)
        cost = ask.cost
        if ask.lease_id and lease.counts_in_flight:
            return None
        if lease.left >= cost and now < lease.lapses:
            lease.left = left = lease.left - cost
            if cost:  # a look is no request
                count = key.count
                if not count.calls:
                    self.tally.begun.append(count)
                count.calls += 1
                count.cost += cost
            return Verdict(VALID, key.tenant_id, key.key_id, key.number, key.scopes, Held(lease.snapshot, left))
        refusal = lease.refusal(cost, now)
        return self._limited(key, ask, refusal) if refusal is not None else None

    def passing(self, ask: Ask) -> Pass | None:
        """Give what admits the same question again; None where its key is not good for it, or each must be asked by itself."""
        key = self.known.find(ask.text)
        if key is None or key.tenant is None or key.lease is None or ask.lease_id or not ask.cost:
            return None
        if key.code is not VALID or self._fits(key, ask) is not VALID:
            return None
        return Pass(self.hearing, self.tally, key, key.tenant, key.lease, ask.cost)

    async def decide(self, ask: Ask) -> Verdict:
        """Answer, and ask Redis where that is needed. Never raises for a Redis that is away."""
        for is_last in (False, True):
            if not await self.hearing.is_heard_soon(PATIENCE_SECONDS):
                break
            pointer = self.known.pointer
            try:
                with self.known.lock:
                    verdict = self.ask(ask)
                return verdict or await self._decide(ask)
            except UnbuiltError:
                # Another epoch may have taken the place of the one that is known here: the next beat says so.
                if is_last or not await self.hearing.is_renewed(pointer, PATIENCE_SECONDS):
                    break
            except AwayError:
                # A connection that was cut is back in no time: a request is held for that, and is not refused for it.
                if is_last or not await self.hearing.is_back(PATIENCE_SECONDS):
                    break
            except RedisError as error:  # it answered, and took nothing: out of memory, read-only
                self._tell(error)
                break
        with self.known.lock:
            return self._unheard(ask)

    async def _decide(self, ask: Ask) -> Verdict:
        key = await self._known_key(ask.text)
        code = key.code if key.code is not VALID else self._fits(key, ask)
        if code is not VALID or key.lease is None:
            with self.known.lock:
                return self._refused(key, ask, code)
        if ask.lease_id:
            ask = replace(ask, lease_id=in_flight_of(key.key_id, ask.lease_id))
        held = await self._draws.draw(key.lease, ask)
        self._alone.forget()  # not before: a Redis that is heard may still take nothing
        with self.known.lock:
            return self._limited(key, ask, held)

    async def give_back(self, tenant_id: str, key_id: str, lease_id: str) -> None:
        """End a request in flight. Harmless for one that has ended, and while Redis is away: then its lease runs out."""
        await self._draws.give_back(tenant_id, key_id, in_flight_of(key_id, lease_id))

    def _tell(self, error: RedisError) -> None:
        """Say that Redis refuses, now and then: it may do so for every request."""
        now = time.monotonic()
        if now - self._told_at > TELL_SECONDS:
            self._told_at = now
            logger.error("Redis refuses", extra={"error": str(error)})

    async def _known_key(self, text: bytes) -> KnownKey:
        key = self.known.find(text)
        if key is None or time.monotonic() >= key.until or (key.tenant is not None and key.tenant.is_stale):
            key = await self._lookups.read(text)
        return key

    @staticmethod
    def _fits(key: KnownKey, ask: Ask) -> Code:
        """Whether the request comes from where the key may be used, and asks for no more than it may do."""
        if key.networks and not cidrs.is_among(ask.address, key.networks):
            return Code.FORBIDDEN
        return VALID if not ask.scopes or set(ask.scopes) <= set(key.scopes) else Code.INSUFFICIENT_PERMISSIONS

    def _refused(self, key: KnownKey, ask: Ask, code: Code) -> Verdict:
        if key.tenant is None:
            return Verdict(code)
        if ask.cost:
            self.tally.count(key.tenant.id, key.key_id, key.number, code.value, "", ask.cost)
        return Verdict(code, key.tenant.id, key.key_id, key.number, key.scopes)

    def _limited(self, key: KnownKey, ask: Ask, held: Held) -> Verdict:
        """The verdict of the limits, counted."""
        code = held.snapshot.code
        if ask.cost:
            self.tally.count(key.tenant_id, key.key_id, key.number, code.value, held.snapshot.refused_by, ask.cost)
        return Verdict(code, key.tenant_id, key.key_id, key.number, key.scopes, held)

    def _unheard(self, ask: Ask) -> Verdict:
        """What the tenant's tier says for the time in which nothing is heard."""
        key, now = self.known.find(ask.text), time.monotonic()
        line = self.known.line
        trouble = Trouble.UNBUILT if line is not None and line.is_open and self.known.epoch is None else Trouble.UNHEARD
        if key is None or key.tenant is None or key.tenant.is_stale or now - self.hearing.heard_at > OPEN_SECONDS:
            return Verdict(Code.NOT_FOUND, trouble=trouble)
        if key.tenant.record.limits.fail_policy is not FailPolicy.OPEN:
            return Verdict(Code.NOT_FOUND, key.tenant.id, key.key_id, key.number, trouble=trouble)
        code = Code.EXPIRED if key.code is VALID and now >= key.ends else key.code
        code = self._fits(key, ask) if code is VALID else code
        if code is not VALID or key.lease is None:
            return self._refused(key, ask, code)
        return self._limited(key, ask, self._alone.decide(key.lease, ask))


def in_flight_of(key_id: str, lease_id: str) -> str:
    """Give the name under which a request in flight is kept: callers make up their ids, so another key's same id is another request."""
    return f"{key_id}/{lease_id}"
