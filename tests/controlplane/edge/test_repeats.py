"""What comes again byte for byte is answered as if it had been parsed: two edges, one of which remembers nothing, are told the same and say the same.

The judge is the real one over records that the test changes; what it would ask Redis it reads from the test instead.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.edge import judge, passes
from controlplane.edge.asking import Ask, Trouble, Verdict
from controlplane.edge.assembly import Doors
from controlplane.edge.hearing import Hearing
from controlplane.edge.judge import Judge
from controlplane.edge.known import Known, KnownKey
from controlplane.edge.leases import Snapshot
from controlplane.edge.line import Line
from controlplane.edge.lookups import Lookups
from controlplane.edge.opening import Parts
from controlplane.edge.protocol import Connection
from controlplane.edge.ticks import Ticks
from tenants.keys.codes import Code
from tenants.limits.effective import KeyLimits
from tenants.limits.projection import EPOCH_BYTES, PREFIX, Standing, TenantRecord
from tenants.usage.tally import Count, Tally
from tests.controlplane.edge.conftest import CONFIGURATION, Clock
from tests.controlplane.edge.judges import FakeJudge, decision, key
from tests.controlplane.edge.wire import Pipe, get, post
from tests.controlplane.edge.world import WIDE

TENANTS = {"acme": "tnt_a", "acme2": "tnt_a", "globex": "tnt_g"}
SCOPES = (("events:read", "events:write"), ("events:read",), ("odd:100%", "odd:%d", "events:read"), ())
_NEW = re.compile(rb'(X-Request-Id: |"request_id":"|"requestId":"|"request_id": "|"requestId": ")[A-Za-z0-9._-]+')


@dataclass
class Truth:
    """What is true of the keys, by name: what Redis would say."""

    clock: Clock
    keys: dict[str, dict[str, Any]] = field(default_factory=lambda: {name: {"scopes": SCOPES[0], "number": 1} for name in TENANTS})
    tokens: int = 100
    is_heard: bool = True


class Told(Judge):
    """Reads from ``truth`` what it would ask Redis for."""

    def __init__(self, truth: Truth, known: Known, tally: Tally) -> None:
        super().__init__(known, cast(Lookups, None), cast(Hearing, self), tally)
        self.truth, self.drawn = truth, 0
        self.heard_until = 0.0

    async def decide(self, ask: Ask) -> Verdict:
        await asyncio.sleep(0)
        known, truth = self.known, self.truth
        name = next((name for name in TENANTS if key(name).encode() == ask.text), "")
        if not name or not truth.is_heard:
            return Verdict(Code.NOT_FOUND, trouble=Trouble.NONE if truth.is_heard else Trouble.UNHEARD)
        found = self._read(name)
        known.keep(known.fingerprint(ask.text), found)
        assert found.lease is not None
        if found.lease.left < ask.cost and ask.cost <= truth.tokens:
            self.drawn += 1
            found.lease.left, found.lease.lapses = truth.tokens, truth.clock() + 0.25
            found.lease.snapshot = Snapshot(decision(remaining=self.drawn % 30))
        verdict = self.ask(ask)
        return verdict or self._limited(found, ask, judge.Held(Snapshot(decision(Code.RATE_LIMITED, remaining=0)), 0))

    def _read(self, name: str) -> KnownKey:
        known, now, told = self.known, self.truth.clock(), self.truth.keys[name]
        record = TenantRecord(told.get("standing", Standing.SERVED), told.get("limits", WIDE))
        tenant_name = TENANTS[name].encode()
        tenant = known.find_tenant(tenant_name, now)
        tenant = tenant or known.keep_tenant(TENANTS[name], tenant_name, record, now + 60)
        assert tenant is not None
        found = KnownKey([name.encode()], now + told.get("seconds", 60))
        found.tenant, found.tenant_id, found.key_id, found.lease = tenant, tenant.id, f"key_{name}", tenant.lease
        found.number, found.scopes = told["number"], told["scopes"]
        found.code = told.get("code", Code.VALID)
        found.networks = tuple(ipaddress.ip_network(text) for text in told.get("cidrs", ()))
        if name == "globex":  # one with limits of its own
            found.lease = known.lease_of(tenant.id, found.key_id, tenant.record, KeyLimits(quota_per_day=told.get("quota", 10)))
        found.count = Count((tenant.id, found.key_id, found.number, Code.VALID.value, ""))
        return found


class FullPipe(Pipe):
    """A transport whose client may have stopped to read: it says so to ``full`` as soon as something is written."""

    full: Connection | None = None

    def write(self, data: Any) -> None:
        super().write(data)
        if self.full is not None:
            self.full.pause_writing()


class Side:
    """One edge without a socket, and one connection to it."""

    def __init__(self, truth: Truth, *, repeats: bool) -> None:
        self.truth, self.tally, self.known = truth, Tally(), Known(most=2)
        self.ending: asyncio.Future[bool] | None = None
        self.judge = Told(truth, self.known, self.tally)
        fake = FakeJudge()
        parts = Parts(self.judge, fake, fake)
        self.doors = Doors(replace(CONFIGURATION, held_above=1_000_000), parts, Ticks(truth.clock, truth.clock))
        if not repeats:
            self.doors.service.repeats.close()
        self.connect()

    def connect(self) -> None:
        self.pipe = FullPipe()
        self.connection = Connection(self.doors.service)
        self.connection.connection_made(self.pipe)

    def hear(self) -> None:
        self.judge.heard_until = self.truth.clock() + 1.0 if self.truth.is_heard else 0.0

    def forget(self, name: bytes) -> None:
        self.known.forget(b" " * (len(PREFIX) + EPOCH_BYTES) + name)

    def state(self) -> dict[str, Any]:
        """All that must be the same."""
        connection, counts = self.connection, self.doors.snapshot()
        held = {count.key: (count.calls, count.cost) for count in self.tally.begun}
        leases = {place: lease.left for place, lease in self.known.leases.items()}
        return {
            "written": _NEW.sub(rb"\1", self.pipe.written),
            "connection": (self.pipe.ended, connection.is_closing, connection.stalls, connection.deadline),
            "numbers": {name: value for name, value in counts.items() if 'cache="repeats"' not in name},
            "tally": (dict(self.tally.counts), dict(self.tally.costs), held),
            "leases": leases,
        }


class Both:
    """Two edges under one truth and one clock."""

    def __init__(self) -> None:
        self.truth = Truth(Clock())
        self.sides = [Side(self.truth, repeats=True), Side(self.truth, repeats=False)]
        self.answered = 0

    async def do(self, work: Callable[[Side], object]) -> None:
        for side in self.sides:
            side.hear()
            work(side)
        for _ in range(8):
            await asyncio.sleep(0)
        first, second = (side.state() for side in self.sides)
        assert first == second

    async def send(self, data: bytes) -> None:
        for side in self.sides:
            if side.pipe.ended or side.connection.is_closing:
                side.connection.connection_lost(None)
                side.connect()
        await self.do(lambda side: side.connection.data_received(data))

    def end(self) -> None:
        for side in self.sides:
            side.connection.connection_lost(None)


def run(steps: list[Any]) -> Both:
    """Take the steps on both sides: bytes are sent, anything else is done."""
    both = Both()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "monotonic", both.truth.clock)
        patch.setattr(passes, "monotonic", both.truth.clock)

        async def go() -> None:
            for step in steps:
                if isinstance(step, bytes):
                    await both.send(step)
                else:
                    step(both.truth, both.sides)
            both.end()

        asyncio.run(go())
    return both


ACME = get("/v1/nginx", key=key("acme"))
REQUESTS = [
    ACME,
    get("/v1/envoy/a/b?c", key=key("acme"), method="POST"),
    get("/v1/envoy/a", key=key("acme2"), method="PATCH"),
    get("/v1/envoy/a", key=key("acme2"), method="LOCK"),
    get("/v1/nginx", "X-Edge-Cost: 2", "X-Edge-Scopes: events:read", "X-Real-Ip: 192.0.2.1", key=key("globex")),
    get("/v1/nginx?refused=403", "X-Edge-Scopes: events:write", "X-Real-Ip: 192.0.2.9", key=key("acme")),
    get("/v1/nginx", "Connection: keep-alive", key=key("acme")),
    post("/v1/verify", {"key": key("acme")}),
    post("/v1/verify", {"key": key("globex"), "cost": 2, "scopes": ["events:read"], "address": "192.0.2.1"}),
    post("/v1/verify", {"key": key("acme"), "class": "write"}),
    post("/v1/verify", b'{"key":"%b"}\r\n\r\n' % key("acme").encode()),
    get("/v1/envoy", "Content-Length: 3", key=key("acme")) + b"abc",
    # The others are never remembered.
    get("/v1/nginx", key=key("acme"), method="HEAD"),
    get("/v1/nginx", "Connection: close", key=key("acme")),
    get("/v1/nginx", "X-Edge-Cost: 0", key=key("acme")),
    ACME.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ACME.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Host", b"Connection: keep-alive\r\nHost"),
    ACME.replace(b"GET", b"POST"),
    get("/v1/nginx", key="nobody"),
    get("/v1/nginx"),
    get("/nothing", key=key("acme")),
    get("/healthz"),
    post("/v1/verify", {"key": key("acme"), "lease": "one"}),
    post("/v1/verify", {"key": key("acme")}, "Expect: 100-continue"),
    post("/v1/verify", {"key": key("nobody")}),
    post("/v1/verify", b"\r\n\r\n{}"),
    post("/v2/keys.verifyKey", {"key": key("acme")}),
    get("/v1/envoy", "Transfer-Encoding: chunked", key=key("acme")) + b"3\r\nabc\r\n0\r\n\r\n",
    get("/v1/envoy", "Upgrade: h2c", "Connection: Upgrade", key=key("acme")),
]
REPEATED = 12
ODD = [
    b"\r\n",
    b"\r",
    b"\n",
    b"G",
    b"PROP",
    b"UN",
    b"GET ",
    b"POST /v1/envoy HTTP/1.1\r\nHost: e\r\nContent-Length: 400\r\n\r\n",
    b"x",
]


def change(name: str, **to: Any) -> Any:
    """Something about a key, told as the channel tells it."""

    def do(truth: Truth, sides: list[Side]) -> None:
        truth.keys[name].update(to)
        for side in sides:
            side.forget(TENANTS[name].encode() if "limits" in to or "standing" in to else name.encode())

    return do


def pass_time(seconds: float) -> Any:
    def do(truth: Truth, sides: list[Side]) -> None:
        truth.clock.seconds += seconds
        for side in sides:
            side.doors.service.turn()

    return do


def another_epoch(_truth: Truth, sides: list[Side]) -> None:
    for side in sides:
        side.known.begin(cast(Line, None), b"another" if side.known.pointer != b"another" else b"and another", b"epoch")


def drain(_truth: Truth, sides: list[Side]) -> None:
    """The process is to end: each answer says so from now on."""
    for side in sides:
        side.ending = asyncio.ensure_future(side.doors.service.drain(0.0))


def hear(is_heard: bool) -> Any:
    def do(truth: Truth, _sides: list[Side]) -> None:
        truth.is_heard = is_heard

    return do


def give_out(tokens: int) -> Any:
    def do(truth: Truth, _sides: list[Side]) -> None:
        truth.tokens = tokens

    return do


def congest(_truth: Truth, sides: list[Side]) -> None:
    """From now on the client reads nothing."""
    for side in sides:
        side.pipe.full = side.connection


def relieve(_truth: Truth, sides: list[Side]) -> None:
    """It reads again."""
    for side in sides:
        side.pipe.full = None
        side.connection.resume_writing()


EACH = [
    *[change(name, scopes=scopes) for name in TENANTS for scopes in SCOPES],
    *[change(name, code=code) for name in TENANTS for code in (Code.DISABLED, Code.EXPIRED, Code.VALID)],
    *[change(name, cidrs=cidrs) for name in TENANTS for cidrs in ((), ("192.0.2.0/29",), ("2001:db8::/32",))],
    *[change(name, number=2) for name in TENANTS],
    *[change(name, seconds=seconds) for name in TENANTS for seconds in (0.1, 60)],
    *[change(name, limits=limits) for name in TENANTS for limits in (replace(WIDE, burst=7), WIDE)],
    change("globex", quota=2),
    *[pass_time(seconds) for seconds in (0.05, 0.3, 1.0, 6.0)],
    another_epoch,
    drain,
    *[hear(is_heard) for is_heard in (False, False, True)],
    *[give_out(tokens) for tokens in (0, 1, 3, 100)],
]
changes = st.sampled_from(EACH)


@st.composite
def stories(draw: st.DrawFn) -> list[Any]:
    """A client that sends the same few requests again and again: whole, behind each other, cut; and what happens meanwhile."""
    few = draw(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=2, unique=True))
    one, number = st.sampled_from([draw(st.sampled_from(REQUESTS[:REPEATED])), *few]), st.integers(1, 60)
    step: st.SearchStrategy[list[Any]] = st.one_of(
        *[one.map(lambda data: [data, data, data])] * 4,
        *[st.tuples(changes, one).map(lambda two: [*two, two[1]])] * 4,
        st.tuples(one, number).map(lambda cut: [cut[0][: cut[1]], cut[0][cut[1] :]] * 2),
        st.tuples(one, number).map(lambda cut: [cut[0][: cut[1]]]),
        st.tuples(one, number).map(lambda cut: [cut[0][cut[1] :]]),
        st.tuples(one, st.one_of(one, st.sampled_from(ODD))).map(lambda two: [b"".join(two)] * 2),
        st.tuples(st.sampled_from(ODD), one).map(lambda two: [b"".join(two)] * 2),
        st.sampled_from(ODD).map(lambda odd: [odd]),
    )
    return [part for parts in draw(st.lists(step, min_size=4, max_size=16)) for part in parts]


@settings(max_examples=max(300, settings().max_examples))
@given(stories())
def test_what_comes_again_is_answered_as_if_it_had_been_parsed(story: list[Any]) -> None:
    run(story)


@pytest.mark.parametrize("place", range(REPEATED))
def test_each_change_is_noticed_by_what_comes_again(place: int) -> None:
    data = REQUESTS[place]
    both = run([data, data, data])
    assert len(both.sides[0].doors.service.repeats) == 1
    for one in EACH:
        run([data, data, data, one, data, data, data])
        run([give_out(7), *[data] * 9, one, *[data] * 9, pass_time(0.3), data, data])
    run([pass_time(0.9), data, data, data, pass_time(0.15), data, data])


def test_the_others_are_not_remembered() -> None:
    for data in REQUESTS[REPEATED:]:
        assert len(run([data, data, data]).sides[0].doors.service.repeats) == 0, data


def test_a_client_that_does_not_read_has_the_same_time_to_begin() -> None:
    run([ACME, ACME, ACME, congest, ACME, relieve, ACME])


def test_a_piece_of_a_method_is_not_the_beginning_of_a_message() -> None:
    both = run([ACME, ACME, ACME, b"G", ACME])
    assert b"HTTP/1.1 400" in both.sides[0].pipe.written
    run([b"G", ACME[1:], b"G", ACME[1:], ACME[1:]])
