"""A make-believe AWS with kinds of its own: for the engine's tests, which are about claims and records and not about AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from provisioning import desired, drift, engine, plan
from provisioning.resources.base import ABSENT, Desired, Ensured, Known, Observed, Removed, Spec, Wait
from tenants.facts import CellFacts, TenantFacts


@dataclass
class World:
    """What exists, every call that was made, and what the next calls shall do instead of working."""

    things: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    instead: dict[tuple[str, str], list[Callable[[], object]]] = field(default_factory=dict)

    def call(self, verb: str, kind: str) -> object:
        """Note the call; run what was planned for it."""
        self.calls.append((verb, kind))
        planned = self.instead.get((verb, kind))
        return planned.pop(0)() if planned else None

    def plan(self, verb: str, kind: str, *acts: Callable[[], object]) -> None:
        """Let the next calls of this verb on this kind do something else first; an act may raise, or give an answer."""
        self.instead.setdefault((verb, kind), []).extend(acts)


@dataclass
class FakeKind:
    """A resource kind that lives in a dictionary."""

    world: World
    KIND: str
    DEPENDS_ON: tuple[str, ...] = ()
    HOLDS_DATA: bool = False
    in_cell: bool = False

    def shape(self, tenant: TenantFacts) -> tuple[Desired, ...]:
        spec = {"owner": tenant.id, "enabled": tenant.state == "active", "tier": tenant.tier.code, "tags": {}}
        return (
            () if self.in_cell or (self.KIND == "extra" and tenant.tier.code != "premium") else (Desired(self.KIND, "own", spec),)
        )

    def cell_shape(self, cell: CellFacts) -> tuple[Desired, ...]:
        return (Desired(self.KIND, "shared", {"owner": cell.id, "tags": {}}),) if self.in_cell else ()

    def _key(self, spec: Spec) -> str:
        return f"{self.KIND}:{spec['owner']}"

    def ensure(self, aws: object, spec: Spec, known: Known) -> Ensured | Wait:
        answer = self.world.call("ensure", self.KIND)
        if isinstance(answer, Wait):
            return answer
        self.world.things[self._key(spec)] = spec
        self.world.call("after", self.KIND)
        return Ensured({"arn": self._key(spec)})

    def observe(self, aws: object, spec: Spec, known: Known) -> Observed:
        answer = self.world.call("observe", self.KIND)
        if isinstance(answer, Observed):
            return answer
        found = self.world.things.get(self._key(spec))
        if found is None:
            return ABSENT
        return Observed(True, () if found == spec else ("it looks different",), {"arn": self._key(spec)})

    def remove(self, aws: object, spec: Spec, known: Known) -> Removed | Wait:
        answer = self.world.call("remove", self.KIND)
        if isinstance(answer, Wait):
            return answer
        self.world.things.pop(self._key(spec), None)
        self.world.call("removed", self.KIND)
        return Removed()


@contextmanager
def make_believe(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Replace the registry and the gateways by a world of four kinds: pool <- client, store (holds data), extra (premium only)."""
    world = World()
    kinds = [
        FakeKind(world, "base", in_cell=True),
        FakeKind(world, "pool"),
        FakeKind(world, "client", DEPENDS_ON=("pool",)),
        FakeKind(world, "store", HOLDS_DATA=True),
        FakeKind(world, "extra", DEPENDS_ON=("store",), HOLDS_DATA=True),
    ]
    registry = {kind.KIND: kind for kind in kinds}
    for module in (desired, plan, engine, drift):
        monkeypatch.setattr(module, "KINDS", registry)
    monkeypatch.setattr("tenants.clouds.connect_to", lambda cell, *, session_name: object())
    monkeypatch.setattr("provisioning.doorbell.ring", lambda operation_id, *, delay_seconds=0: None)
    yield world
