"""What the judge found out about a question that it admitted, for the same question again."""

from __future__ import annotations

from time import monotonic

from controlplane.edge.asking import Verdict
from controlplane.edge.hearing import Hearing
from controlplane.edge.known import KnownKey, KnownTenant
from controlplane.edge.leases import Held, Lease
from tenants.keys.codes import Code
from tenants.usage.tally import Tally


class Pass:
    """Admits the question once more as long as nothing that it hangs on has changed. For the judge's event loop.

    A record that is told to have changed makes its key and its tenant stale, whoever still holds them, so a pass is no later than the judge itself.
    """

    __slots__ = ("_cost", "_hearing", "_key", "_tally", "_tenant", "lease")

    def __init__(self, hearing: Hearing, tally: Tally, key: KnownKey, tenant: KnownTenant, lease: Lease, cost: int) -> None:
        self._hearing, self._tally = hearing, tally
        self._key, self._tenant, self.lease, self._cost = key, tenant, lease, cost

    @property
    def who(self) -> Verdict:
        """The verdict without the limits."""
        key = self._key
        return Verdict(Code.VALID, key.tenant_id, key.key_id, key.number, key.scopes)

    def take(self) -> int | None:
        """Take the cost from the lease, counted; gives what is left there. None when the judge must be asked. As in ``Judge.ask``."""
        now = monotonic()
        key, lease, cost = self._key, self.lease, self._cost
        if (
            lease.left < cost
            or now >= lease.lapses
            or now >= self._hearing.heard_until
            or now >= key.until
            or self._tenant.is_stale
        ):
            return None
        lease.left = left = lease.left - cost
        count = key.count
        if not count.calls:
            self._tally.begun.append(count)
        count.calls += 1
        count.cost += cost
        return left

    def verdict(self, left: int) -> Verdict:
        """Give the whole verdict, with so much left in the lease."""
        verdict = self.who
        verdict.limiting = Held(self.lease.snapshot, left)
        return verdict
