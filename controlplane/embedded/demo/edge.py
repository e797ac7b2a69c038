"""The demo's chapter on the admission edge: quiet tenants call over HTTP, one floods, keys end and tenants are suspended, and all is counted."""

from __future__ import annotations

import http.client
import json
import os
import statistics
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Sum

from controlplane.embedded.demo.stage import Stage
from controlplane.embedded.state import LOOPBACK
from core.actors import operator
from provisioning import services as provisioning
from provisioning.models import ACTIVE_STATES, Operation
from tenants.keys import services
from tenants.keys.models import KeyState
from tenants.limits.selectors import effective_limits
from tenants.limits.services import set_override
from tenants.models import Tenant
from tenants.selectors import get_tenant
from tenants.usage.models import UsageMinute

ACTOR = operator("demo", "the demo")
QUIET = ("globex", "initech", "acme-west")
CALLS_A_SECOND = 10.0
ALONE_SECONDS, FLOOD_SECONDS, FLOODERS = 3.0, 5.0, 8
BIN_SECONDS = 0.5
BOUND_SECONDS = 1.0
COUNTED_SECONDS = 30.0
BARS = " ▁▂▃▄▅▆▇█"


@dataclass
class Caller:
    """A program of one tenant with a connection of its own. ``seen`` holds when it asked, how long that took, and the code it was told."""

    text: str = field(repr=False)
    seen: list[tuple[float, float, str]] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    connection: http.client.HTTPConnection | None = None

    def ask(self) -> str:
        """Show the key once and give the code."""
        begun = time.monotonic()
        answer = self.answer()
        code = str(answer.get("code") or answer.get("type", "").rpartition("#")[2])
        self.seen.append((begun, time.monotonic() - begun, code))
        self.told[code] += 1
        return code

    def answer(self) -> dict[str, Any]:
        """Show the key once and give the whole answer."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(LOOPBACK, int(os.environ["CONTROLPLANE_EDGE_PORT"]), timeout=10)
        self.connection.request("POST", "/v1/verify", json.dumps({"key": self.text}), {"Content-Type": "application/json"})
        answer: dict[str, Any] = json.loads(self.connection.getresponse().read())
        return answer

    def codes(self) -> Counter[str]:
        """How often it was told what."""
        return Counter(code for _, _, code in self.seen)


def tell(stage: Stage) -> None:
    """Flood, revoke, suspend, and look at what was counted."""
    stage.chapter("9. A neighbour floods the admission edge")
    loud = get_tenant("acme")
    quiet = [_caller(get_tenant(slug)) for slug in QUIET]
    flood = [_caller(loud)]
    flood += [Caller(flood[0].text) for _ in range(FLOODERS - 1)]
    limits = effective_limits(loud)
    set_override(actor=ACTOR, tenant_id=loud.pk, limited="rate_per_second", value=20, reason="the demo's limit")
    set_override(actor=ACTOR, tenant_id=loud.pk, limited="burst", value=20, reason="the demo's limit")
    stage.wait("waiting for the new limit to reach the edge", lambda: int(_limit_at_edge(flood[0]) == 20), 1)
    for caller in (*quiet, *flood):
        caller.seen.clear()
    stage.say(
        f"Acme may ask 20 times a second now (its tier says {limits.rate_per_second}); it floods with {FLOODERS} connections."
    )
    begun = time.monotonic()
    with _calling(quiet, 1 / CALLS_A_SECOND), stage.progress("quiet alone, then beside the flood", 2) as show:
        time.sleep(ALONE_SECONDS)
        show(1)
        flood_from = time.monotonic()
        with _calling(flood, 0.0):
            time.sleep(FLOOD_SECONDS)
        flood_until = time.monotonic()
        show(2)
    _plot(stage, quiet, flood, begun, flood_until)
    _judge_flood(stage, quiet, flood, flood_from, flood_until)
    _shut(stage, quiet[0], flood[0], loud)
    _count(stage, loud, flood, quiet)


def _judge_flood(stage: Stage, quiet: list[Caller], flood: list[Caller], begun: float, ended: float) -> None:
    told = sum((caller.codes() for caller in quiet), Counter[str]())
    stage.promise("not one call of a quiet tenant was refused", set(told) == {"VALID"}, f"{told.total()} calls")
    floods = sum((caller.codes() for caller in flood), Counter[str]())
    most = 20 + 20 * (ended - begun + 0.1)
    stage.promise(
        "the one that floods had its limit and no more", 0 < floods["VALID"] <= most, f"{floods['VALID']} of {floods.total()} calls"
    )
    stage.promise("all others were told to come back later", floods["RATE_LIMITED"] == floods.total() - floods["VALID"])
    alone = [took for at, took, _ in _all(quiet) if at < begun]
    beside = [took for at, took, _ in _all(quiet) if begun <= at < ended]
    stage.say(
        f"A quiet call took {_ms(alone, 50)} ms alone and {_ms(beside, 50)} ms beside the flood (p99 {_ms(alone, 99)} and {_ms(beside, 99)})."
    )


def _shut(stage: Stage, quiet: Caller, loud: Caller, tenant: Tenant) -> None:
    """A revoked key and a suspended tenant are refused by the edge within the bound, and a typo never gets as far as a look-up."""
    typo = Caller(quiet.text[:-1] + ("0" if quiet.text[-1] != "0" else "1"))
    stage.promise("a mistyped key is nobody's", typo.ask() == "NOT_FOUND")
    key = tenant.keys.filter(state=KeyState.ACTIVE).order_by("-pk")[0]
    services.revoke_key(actor=ACTOR, tenant_id=tenant.pk, key_id=key.pk, reason="the demo")
    took = _until(loud, "NOT_FOUND")
    stage.promise("a revoked key is refused by the edge", took < BOUND_SECONDS, f"after {took * 1000:.0f} ms")
    second = _caller(tenant)
    second.told = loud.told  # all of Acme's calls are counted together
    stage.wait("waiting for a second key", lambda: int(second.ask() in ("VALID", "RATE_LIMITED")), 1)
    operation = provisioning.start_suspend(actor=ACTOR, tenant_id=tenant.pk, reason="the demo")
    took = _until(second, "DISABLED")
    stage.promise("a suspended tenant is refused before AWS is told", took < BOUND_SECONDS, f"after {took * 1000:.0f} ms")
    stage.wait("suspending", lambda: _is_done(operation.pk), 1)
    operation = provisioning.start_resume(actor=ACTOR, tenant_id=tenant.pk, reason="the demo")
    stage.wait("resuming", lambda: _is_done(operation.pk), 1)
    stage.wait("waiting until its key is good again", lambda: int(second.ask() in ("VALID", "RATE_LIMITED")), 1)


def _count(stage: Stage, loud: Tenant, flood: list[Caller], quiet: list[Caller]) -> None:
    """The edge counted what was asked of it: no call twice, none lost."""
    for name, tenants, callers in (("Acme", [loud.slug], flood), ("its neighbours", QUIET, quiet)):
        asked = sum((caller.told for caller in callers), Counter[str]())
        wanted = {code: asked[code] for code in ("VALID", "RATE_LIMITED") if asked[code]}
        give_up_at = time.monotonic() + COUNTED_SECONDS
        while _counted(tenants) != wanted and time.monotonic() < give_up_at:
            time.sleep(0.1)
        stage.promise(f"each call of {name} was counted once", _counted(tenants) == wanted, f"{sum(wanted.values())} calls")


def _counted(slugs: Collection[str]) -> dict[str, int]:
    rows = (
        UsageMinute.objects.filter(tenant__slug__in=slugs, outcome__in=("VALID", "RATE_LIMITED")).values_list("outcome").order_by()
    )
    return dict(rows.annotate(asked=Sum("requests")))


def _is_done(operation_id: str) -> int:
    return int(not Operation.objects.filter(pk=operation_id, state__in=ACTIVE_STATES).exists())


def _caller(tenant: Tenant) -> Caller:
    issued = services.issue_key(actor=ACTOR, tenant_id=tenant.pk, name="edge", scopes=["events:write"], reason="the demo")
    return Caller(issued.text)


def _limit_at_edge(caller: Caller) -> int:
    answer = caller.answer()
    caller.told[answer["code"]] += 1
    return int(answer["limits"]["rate"]["limit"])


def _until(caller: Caller, code: str) -> float:
    """Ask until the edge says so; gives how many seconds that took, ten at most."""
    begun = time.monotonic()
    while caller.ask() != code and time.monotonic() - begun < 10:
        time.sleep(0.005)
    return time.monotonic() - begun


@contextmanager
def _calling(callers: list[Caller], pause_seconds: float) -> Iterator[None]:
    """Each caller in a thread of its own, over and over."""
    ended = threading.Event()

    def call(caller: Caller) -> None:
        while not ended.wait(pause_seconds):
            caller.ask()

    threads = [threading.Thread(target=call, args=(caller,), daemon=True) for caller in callers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _plot(stage: Stage, quiet: list[Caller], flood: list[Caller], begun: float, ended: float) -> None:
    """Each column is half a second."""
    places = int((ended - begun) / BIN_SECONDS)
    for name, callers, measure in (
        ("quiet: admitted", quiet, lambda some: sum(code == "VALID" for _, _, code in some)),
        ("quiet: p99 in ms", quiet, lambda some: _percentile([took for _, took, _ in some], 99) * 1_000),
        ("flood: admitted", flood, lambda some: sum(code == "VALID" for _, _, code in some)),
        ("flood: refused", flood, lambda some: sum(code != "VALID" for _, _, code in some)),
    ):
        bins: list[list[tuple[float, float, str]]] = [[] for _ in range(places)]
        for one in _all(callers):
            place = int((one[0] - begun) / BIN_SECONDS)
            if place < places:
                bins[place].append(one)
        values = [measure(some) if some else 0.0 for some in bins]
        top = max(values) or 1.0
        bars = "".join(BARS[round(value / top * (len(BARS) - 1))] for value in values)
        stage.say(f"{name:18} |{bars}| up to {top:,.0f}")


def _all(callers: list[Caller]) -> list[tuple[float, float, str]]:
    return [one for caller in callers for one in list(caller.seen)]


def _percentile(values: list[float], part: int) -> float:
    return statistics.quantiles(values, n=100)[part - 1] if len(values) > 1 else sum(values)


def _ms(values: list[float], part: int) -> str:
    return f"{_percentile(values, part) * 1_000:.1f}"
