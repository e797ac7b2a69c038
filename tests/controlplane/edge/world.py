"""A projection in a Valkey of one's own, written as the product writes it, and edges that live on it. No Django, no database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from controlplane.edge.asking import Ask, Verdict
from controlplane.edge.edge import Edge
from core.ids import KEY, TENANT, new_id
from tenants.facts import FailPolicy
from tenants.keys import tokens
from tenants.limits import projection
from tenants.limits.board import Board
from tenants.limits.effective import Limits
from tenants.limits.projection import HALF, KeyRecord, Kind, Standing, TenantRecord

PEPPERS = {1: b"an old pepper of thirty-two bytes or so", 2: b"the pepper of thirty-two bytes in use"}
WIDE = Limits(100_000, 100_000, 10**9, fail_policy=FailPolicy.CLOSED)
NARROW = Limits(1, 5, 10**6)
OPEN = replace(WIDE, fail_policy=FailPolicy.OPEN)


@dataclass
class Holder:
    """A tenant with one key, as records."""

    limits: Limits = WIDE
    tenant_id: str = field(default_factory=lambda: new_id(TENANT))
    key_id: str = field(default_factory=lambda: new_id(KEY))
    text: str = field(default_factory=lambda: tokens.new_token("cpk", "live").text)
    pepper: int = 2
    standing: Standing = Standing.SERVED
    key: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> bytes:
        return bytes.fromhex(tokens.digest_of(self.text, PEPPERS[self.pepper]))

    def ask(self, **given: Any) -> Ask:
        return Ask(self.text.encode(), **given)

    def records(self, stamp: int) -> dict[tuple[Kind, bytes], bytes]:
        fields: dict[str, Any] = {"number": 1, "standing": Standing.SERVED, "ends_at": int(time.time()) + 3_600, **self.key}
        record = KeyRecord(self.digest, self.tenant_id, self.key_id, **fields)
        tenant = projection.pack_tenant(TenantRecord(self.standing, self.limits), stamp)
        found = {
            (Kind.TENANT, projection.pack_id(self.tenant_id)): tenant,
            (Kind.KEY, self.digest[:HALF]): projection.pack_key(record, stamp),
        }
        if record.scopes:
            words = projection.stamped(0) + projection.pack_scopes(record.scopes)
            found[Kind.SCOPES, projection.scopes_id(record.scopes)] = words
        return found


class Platform:
    """What the control plane does to the projection."""

    def __init__(self, url: str) -> None:
        self.url, self.board = url, Board.from_url(url)

    def build(self, *holders: Holder) -> None:
        """Build an epoch with these in it, and no others."""
        build = self.board.begin()
        assert build is not None
        for holder in holders:
            self.board.write_in(build.epoch, holder.records(self.board.draw_stamp()))
        self.board.finish(build)

    def write(self, holder: Holder) -> None:
        self.board.write(holder.records(self.board.draw_stamp()))

    def revoke(self, holder: Holder) -> None:
        self.board.write({(Kind.KEY, holder.digest[:HALF]): projection.gone(self.board.draw_stamp())})


@asynccontextmanager
async def edge_on(url: str, *, within_seconds: float = 5.0, **given: Any) -> AsyncIterator[Edge]:
    edge = Edge(url, PEPPERS, **given)
    await edge.open(within_seconds=within_seconds)
    try:
        yield edge
    finally:
        await edge.close()


async def until(true: Callable[[], bool], *, within_seconds: float = 5.0) -> float:
    """Wait until something is true; gives how many seconds that took."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < within_seconds, "it never came true"
        await asyncio.sleep(0.002)
    return time.monotonic() - begun


async def answer(edge: Edge, holder: Holder, **given: Any) -> Verdict:
    """As doors do it: at once where that is possible."""
    ask = holder.ask(**given)
    return edge.judge.ask(ask) or await edge.judge.decide(ask)
