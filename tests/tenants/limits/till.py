"""The script of the limits in a real Redis, asked one question at a time, by Redis' own clock or by one that the test sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import redis

from tenants.limits import scripts, spending
from tenants.limits.spending import Bill, Drawn

NOW_NAME = "test:now"
TEST_CLOCK = f"local function clock() return tonumber(redis.call('GET', '{NOW_NAME}')) end\n"
LATER = 4_102_444_800 * 1_000_000
"""The year 2100, for clocks that a test sets: what expires does so by Redis' own clock, so not while the test runs."""


@dataclass
class Till:
    """Asks bills. With ``now_us`` set the script takes that for the time."""

    client: redis.Redis
    now_us: int | None = None
    own: str = field(init=False)
    given: str = field(init=False)

    def __post_init__(self) -> None:
        assert scripts.CLOCK in spending.SCRIPT
        self.own = str(self.client.script_load(spending.SCRIPT))
        self.given = str(self.client.script_load(spending.SCRIPT.replace(scripts.CLOCK, TEST_CLOCK)))

    def ask(self, bill: Bill) -> Drawn:
        return self.ask_all([bill])[0]

    def ask_all(self, bills: Sequence[Bill]) -> list[Drawn]:
        """Ask these bills in their order, in one go."""
        pipeline = self.client.pipeline(transaction=False)
        if self.now_us is not None:
            pipeline.set(NOW_NAME, self.now_us)
        for bill in bills:
            keys, argv = spending.arguments(bill)
            pipeline.evalsha(self.own if self.now_us is None else self.given, len(keys), *keys, *argv)
        replies = pipeline.execute()[-len(bills) :]
        return [spending.read_reply(bill, reply) for bill, reply in zip(bills, replies, strict=True)]

    def give_back(self, tenant_id: str, key_id: str, lease_id: str) -> int:
        keys, argv = spending.give_back_arguments(tenant_id, key_id, lease_id)
        return int(self.client.eval(spending.GIVE_BACK, len(keys), *keys, *argv))

    def forget(self) -> None:
        """Remove what was spent, of everybody."""
        names = list(self.client.scan_iter("edge:*"))
        if names:
            self.client.delete(*names)
