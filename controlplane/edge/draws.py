"""Draws on the limits in Redis: one question a lease at a time, for whoever asks and whoever waits."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from redis.exceptions import RedisError

from controlplane.edge.asking import Ask
from controlplane.edge.known import Known
from controlplane.edge.leases import Held, Lease
from controlplane.edge.line import AwayError, Script
from tenants.limits import spending

SPEND, GIVE_BACK = Script.of(spending.SCRIPT), Script.of(spending.GIVE_BACK)
TURNS = 8
"""How often a request waits for somebody else's draw before it draws for itself."""


class Draws:
    """One process's draws, for one event loop.

    ``capacity`` is the platform's, in cost a second, ``slots`` its requests in flight; 0 to share nothing.
    """

    def __init__(self, known: Known, capacity: int, slots: int = 0) -> None:
        self._known, self._capacity, self._slots = known, capacity, slots

    async def draw(self, lease: Lease, ask: Ask) -> Held:
        """Ask the limits in Redis, one question a lease at a time: whoever comes meanwhile waits, and lives on what was drawn."""
        if ask.lease_id and lease.counts_in_flight:
            return await self._draw_once(lease, ask)
        for _ in range(TURNS):
            if lease.drawing is None:
                break
            lease.waiting += ask.cost
            try:
                await lease.drawing.wait()
            finally:
                lease.waiting -= ask.cost
            now = time.monotonic()
            with self._known.lock:
                held = lease.take(ask.cost, now) or lease.refusal(ask.cost, now)
            if held is not None:
                return held
        return await self._draw_alone(lease, ask)

    async def _draw_alone(self, lease: Lease, ask: Ask) -> Held:
        drawing = lease.drawing = asyncio.Event()
        try:
            return await self._draw_once(lease, ask)
        finally:
            drawing.set()
            if lease.drawing is drawing:
                lease.drawing = None

    async def _draw_once(self, lease: Lease, ask: Ask) -> Held:
        line = self._known.line
        if line is None:
            raise AwayError("there is no line to Redis yet")
        asked_at = time.monotonic()
        with self._known.lock:
            lease_id = ask.lease_id if lease.counts_in_flight else ""
            bill = lease.bill(ask.cost, asked_at, lease_id=lease_id, capacity=self._capacity, slots=self._slots)
        try:
            drawn = spending.read_reply(bill, await line.run(SPEND, *spending.arguments(bill)))
        except asyncio.CancelledError:
            if bill.lease_id:  # whoever asked has gone, and will not give back what this question is about to take
                keys, arguments = spending.give_back_arguments(lease.tenant_id, lease.key_id, bill.lease_id)
                line.call("EVALSHA", GIVE_BACK.sha, len(keys), *keys, *arguments).add_done_callback(_look_away)
            raise
        with self._known.lock:
            return lease.fill(bill, drawn, asked_at)

    async def give_back(self, tenant_id: str, key_id: str, lease_id: str) -> None:
        """End a request in flight. Harmless for one that has ended, and while Redis is away: then its lease runs out."""
        line = self._known.line
        if line is None or not self._counts_in_flight(tenant_id, key_id):
            return
        try:
            await line.run(GIVE_BACK, *spending.give_back_arguments(tenant_id, key_id, lease_id))
        except (AwayError, RedisError):
            return

    def _counts_in_flight(self, tenant_id: str, key_id: str) -> bool:
        """Whether a request of this key may hold a slot, as far as is known here."""
        leases = [lease for place in ((tenant_id, ""), (tenant_id, key_id)) if (lease := self._known.leases.get(place)) is not None]
        return not leases or any(lease.counts_in_flight for lease in leases)


def _look_away(answer: asyncio.Future[Any]) -> None:
    """Nobody waits for this answer, so an error in it is not to be reported as one that nobody looked at."""
    if not answer.cancelled():
        answer.exception()
