"""Tokens of a tenant's limits, drawn ahead: a busy tenant costs Redis almost nothing, a quiet one a single question.

A lease holds tokens that are already charged, so none is ever granted twice, however many processes draw. The error is on the side of refusing:
tokens that were drawn and not used within a quarter of a second lapse, or within a second where the tenant is far below its rate and nobody misses
them. Of rates they are lost; of quotas they are given back with the next draw. How many are drawn at once doubles while a tenant uses them up in
time, and halves when it does not. A refusal is remembered until waiting would help, a second at most, so that a flood costs Redis nothing either.
"""

from __future__ import annotations

import asyncio

from controlplane.edge.asking import Shape, Template
from tenants.keys.codes import Code
from tenants.limits.decision import Decision
from tenants.limits.effective import KeyLimits, Limits
from tenants.limits.headers import template_of
from tenants.limits.spending import Bill, Drawn, Periods, Returned

LAPSE_SECONDS, FAR_BELOW_SECONDS = 0.25, 1.0
MOST = 1_024
"""Tokens in one lease at most: what one process may keep from the others until they lapse."""
REMEMBERED_SECONDS = 1.0
MOST_RETURNED = 8
"""Lapsed leases that are remembered to be given back: more than one only when limits change faster than anybody asks."""


class Snapshot:
    """What was said of the limits at one moment, and the shape of its headers; made once, when asked for, for all requests that live on it."""

    __slots__ = ("_decision", "_shapes", "_source", "code", "refused_by")

    def __init__(self, source: Drawn | Decision) -> None:
        self._source = source
        self.code, self.refused_by = source.code, source.refused_by
        self._decision: Decision | None = None
        self._shapes: dict[Template, Shape] = {}

    @property
    def decision(self) -> Decision:
        """The decision, whole."""
        if self._decision is None:
            self._decision = self._source.decision if isinstance(self._source, Drawn) else self._source
        return self._decision

    def decision_with(self, left: int) -> Decision:
        """Give the decision with so many more tokens remaining of each limit."""
        if not left:
            return self.decision
        standings = tuple(one._replace(remaining=one.remaining + left) for one in self.decision.standings)
        return self.decision._replace(standings=standings)

    def filled(self, template_of: Template, left: int) -> bytes:
        """Give :meth:`decision_with` in the shape of a template."""
        text, numbers = self.shape(template_of)
        return text % tuple([number + left for number in numbers])

    def shape(self, template_of: Template) -> Shape:
        """Give the decision in the shape of a template, with ``%d`` for what remains."""
        made = self._shapes.get(template_of)
        if made is None:
            made = self._shapes[template_of] = template_of(self.decision)
        return made


class Held:
    """How limits stood when something was decided: what was said last, and what was left in the lease then."""

    __slots__ = ("_left", "snapshot")

    def __init__(self, snapshot: Snapshot, left: int) -> None:
        self.snapshot, self._left = snapshot, left

    @property
    def decision(self) -> Decision:
        """The decision, with what the lease still held counted as remaining."""
        return self.snapshot.decision_with(self._left)

    @property
    def lines(self) -> bytes:
        """Header lines of :attr:`decision`."""
        return self.snapshot.filled(template_of, self._left)

    def filled(self, template_of: Template) -> bytes:
        """See :class:`~controlplane.edge.asking.Limiting`."""
        return self.snapshot.filled(template_of, self._left)


NOTHING = Snapshot(Decision(Code.VALID, 0, "", 0, (), 0))
"""What was said before anybody was asked."""


class Lease:
    """The tokens of one tenant, or of one key with limits of its own, in this process. Times are of the monotonic clock, in seconds.

    ``snapshot`` is of the tokens that are here, ``told`` is what Redis said last, of whatever request.
    """

    __slots__ = (
        "_returned", "_size", "counts_in_flight", "drawing", "key_id", "key_limits", "lapses", "left", "limits", "periods", "refused",
        "refused_cost", "refused_until", "snapshot", "tenant_id", "told", "waiting",
    )  # fmt: skip

    def __init__(self, tenant_id: str, key_id: str) -> None:
        self.tenant_id, self.key_id = tenant_id, key_id
        self.limits: Limits | None = None
        self.key_limits: KeyLimits | None = None
        self.left, self.lapses = 0, 0.0
        self.refused_until, self.refused_cost = 0.0, 0
        self.snapshot = self.told = NOTHING
        self.refused: Held | None = None
        self.drawing: asyncio.Event | None = None
        self.waiting = 0
        self.counts_in_flight = False
        self.periods: Periods = (0, 0, 0, 0)
        self._size = 0
        self._returned: tuple[Returned, ...] = ()

    def hold_to(self, limits: Limits, key_limits: KeyLimits | None) -> None:
        """Take up the limits that hold now. When they have changed, what was drawn or refused under the old ones counts no more."""
        if (limits, key_limits) != (self.limits, self.key_limits):
            self.limits, self.key_limits = limits, key_limits
            self.counts_in_flight = limits.concurrency is not None or (
                key_limits is not None and key_limits.concurrency is not None
            )
            self._give_up()
            self.refused_until = 0.0

    def take(self, cost: int, now: float) -> Held | None:
        """Take tokens that are here; None when there are too few."""
        if self.left >= cost and now < self.lapses:
            self.left -= cost
            return Held(self.snapshot, self.left)
        return None

    def refusal(self, cost: int, now: float) -> Held | None:
        """Give the refusal that still holds for such a cost, if there is one."""
        return self.refused if now < self.refused_until and cost >= self.refused_cost else None

    def bill(self, cost: int, now: float, *, lease_id: str = "", capacity: int = 0, slots: int = 0) -> Bill:
        """Give the next draw: for this request, for those that wait, and ahead. What lapsed of quotas is given back in it.

        A draw whose answer is lost may have given it back or not; it is not offered again, so that it never counts twice.
        """
        assert self.limits is not None
        if lease_id:
            whose = (self.tenant_id, self.limits, self.key_id, self.key_limits)
            return Bill(*whose, cost, lease_id=lease_id, capacity=capacity, slots=slots)
        is_used_up = self.left == 0 and now < self.lapses + LAPSE_SECONDS
        self._size = min(max(1, self._size * 2), self._most(self.limits)) if is_used_up else self._size // 2
        self._give_up()
        returned, self._returned = self._returned, ()
        extra = min(max(self._size, self.waiting), MOST)
        return Bill(self.tenant_id, self.limits, self.key_id, self.key_limits, cost, extra, returned=returned, capacity=capacity)

    def fill(self, bill: Bill, drawn: Drawn, asked_at: float) -> Held:
        """Take up what a draw gave, for the request that it was for; what was drawn or refused under limits that have changed since is let go."""
        snapshot = self.told = Snapshot(drawn)
        is_outdated = bill.limits is not self.limits or bill.key_limits is not self.key_limits
        if drawn.is_admitted:
            if not bill.lease_id:
                self._give_up()  # of somebody who drew at the same time
                self.left, self.snapshot, self.periods = drawn.extra, snapshot, drawn.periods
                self.lapses = asked_at + (FAR_BELOW_SECONDS if drawn.is_far_below else LAPSE_SECONDS)
                if is_outdated:
                    self._give_up()
            return Held(snapshot, drawn.extra)
        held = Held(snapshot, 0)
        if not bill.lease_id and not is_outdated:
            retry_us = drawn.retry_after_us
            seconds = REMEMBERED_SECONDS if retry_us is None else min(REMEMBERED_SECONDS, retry_us / 1e6)
            self.refused, self.refused_cost, self.refused_until = held, bill.cost, asked_at + seconds
        return held

    def lose(self) -> None:
        """Redis has lost what was drawn from it. What is put back there is what was used, so nothing is to be taken off that."""
        self.periods, self._returned = (0, 0, 0, 0), ()

    def _give_up(self) -> None:
        """Let what is left lapse; of quotas it is remembered, to be given back."""
        if self.left and any(self.periods):
            self._returned = (*self._returned, Returned(self.left, self.periods))[-MOST_RETURNED:]
        self.left = 0

    @staticmethod
    def _most(limits: Limits) -> int:
        """More than the rate brings in the life of a lease would only lapse."""
        return max(1, min(MOST, int(limits.rate_per_second * LAPSE_SECONDS) or 1))
