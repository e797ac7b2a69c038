"""The doors put together: which path leads where."""

from __future__ import annotations

from collections.abc import Callable

from controlplane.edge.bounds import Bounds
from controlplane.edge.configuration import Configuration
from controlplane.edge.doors.endpoints import EndpointsDoor
from controlplane.edge.doors.envoy import EnvoyDoor
from controlplane.edge.doors.judged import Hidden, Premises
from controlplane.edge.doors.nginx import NginxDoor
from controlplane.edge.doors.operations import DRAINING, UNHEARD, MetricsDoor, NowhereDoor, ProbeDoor
from controlplane.edge.doors.unkey import RatelimitDoor, VerifyKeyDoor
from controlplane.edge.doors.verify import ReleaseDoor, VerifyDoor
from controlplane.edge.holding import Holding
from controlplane.edge.identity import Badges
from controlplane.edge.numbers import Numbers, Snapshot
from controlplane.edge.opening import Parts
from controlplane.edge.problems import Problems
from controlplane.edge.requests import Door
from controlplane.edge.service import Service
from controlplane.edge.ticks import Ticks


class Doors:
    """One process's doors over its parts."""

    def __init__(self, configuration: Configuration, parts: Parts, ticks: Ticks | None = None) -> None:
        ticks = ticks or Ticks()
        base = configuration.problems_url
        self._parts, self._numbers = parts, Numbers()
        self._badges = Badges(configuration.identity_keys, ticks)
        problems = Problems(base, ticks)
        premises = Premises(parts.judge, ticks, problems, self._badges, self._numbers, configuration.costs)
        verify, nginx, envoy = VerifyDoor(premises), NginxDoor(premises), EnvoyDoor(premises)
        routes: dict[bytes, Door] = {
            b"/healthz": ProbeDoor(ticks),
            b"/readyz": ProbeDoor(ticks, self.missing),
            b"/v1/verify": verify,
            b"/v1/release": ReleaseDoor(premises),
            b"/v1/endpoints": EndpointsDoor(premises, configuration.endpoints),
            b"/v1/nginx": nginx,
            b"/v2/keys.verifyKey": VerifyKeyDoor(premises, base),
            b"/v2/ratelimit.limit": RatelimitDoor(premises, base, parts.counting),
        }
        self.service = Service(
            routes,
            {b"/v1/envoy": envoy},
            Hidden(premises),
            bounds=configuration.bounds,
            numbers=self._numbers,
            problems=problems,
            holding=Holding(configuration.held_above, ticks),
            ticks=ticks,
            repeating=(verify, nginx, envoy),
        )

    def missing(self) -> str:
        """Why no requests should come here; empty when they should."""
        if self.service.is_draining:
            return DRAINING
        return "" if self._parts.listening.heard_within_bound() else UNHEARD

    def snapshot(self) -> Snapshot:
        """What this process has counted."""
        listening = self._parts.listening
        sizes = {**listening.sizes(), "identities": len(self._badges), "repeats": len(self.service.repeats)}
        service = self.service
        return self._numbers.snapshot(len(service.connections), service.holding.held, sizes, listening.heard_seconds_ago)


def operators_service(problems_url: str, missing: Callable[[], str], write: Callable[[], str]) -> Service:
    """The operators' port, which the parent answers for all processes."""
    ticks = Ticks()
    routes: dict[bytes, Door] = {
        b"/healthz": ProbeDoor(ticks),
        b"/readyz": ProbeDoor(ticks, missing),
        b"/metrics": MetricsDoor(ticks, write),
    }
    return Service(
        routes,
        {},
        NowhereDoor(),
        bounds=Bounds(connections=100),
        numbers=Numbers(),
        problems=Problems(problems_url, ticks),
        holding=Holding(1, ticks),
        ticks=ticks,
    )
