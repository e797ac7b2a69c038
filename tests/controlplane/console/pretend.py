"""The real resource kinds over a pretended AWS: their shapes and names are real, their calls succeed, wait or fail as a test says."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from core.aws.calls import Call, _records
from provisioning import desired, drift, engine, plan, resources
from provisioning.resources.base import Ensured, Known, Observed, Removed, Spec, Wait

SECONDS = {"stack": 31.0, "user_pool": 0.9, "kms_key": 0.6, "access_role": 1.4, "administrator": 0.7}


@dataclass
class PretendAws:
    """What was made, and what the next calls on a kind do instead of succeeding."""

    made: set[tuple[str, str]] = field(default_factory=set)
    instead: dict[str, list[Callable[[], Any]]] = field(default_factory=dict)
    clock: Callable[[float], None] | None = None
    """Moves a test's clock on by the seconds that a call would take; None where time does not matter."""

    def take_time(self, kind: str) -> None:
        """Let a call take its time, and leave a request id as a real one would."""
        calls = _records.get()
        if self.clock is None or calls is None:
            return
        for number in range(3):
            self.clock(SECONDS.get(kind, 0.25) / 3)
            calls.append(Call("pretended", f"Make{number}", str(uuid.UUID(int=random.getrandbits(128), version=4)), "", 80.0))

    def next_for(self, kind: str, *acts: Callable[[], Any]) -> None:
        """Let the next ``ensure`` calls of a kind do these things; an act may raise, or give a Wait."""
        self.instead.setdefault(kind, []).extend(acts)


class PretendKind:
    """A real kind whose four verbs touch nothing."""

    def __init__(self, real: Any, aws: PretendAws) -> None:
        self.KIND, self.DEPENDS_ON, self.HOLDS_DATA = real.KIND, real.DEPENDS_ON, real.HOLDS_DATA
        self.shape, self.cell_shape = real.shape, real.cell_shape
        self._aws = aws

    def _key(self, spec: Spec) -> tuple[str, str]:
        tags = spec.get("tags", {})
        return self.KIND, str(tags.get("controlplane:tenant") or tags)

    def ensure(self, aws: object, spec: Spec, known: Known) -> Ensured | Wait:
        self._aws.take_time(self.KIND)
        planned = self._aws.instead.get(self.KIND)
        answer = planned.pop(0)() if planned else None
        if isinstance(answer, Wait):
            return answer
        self._aws.made.add(self._key(spec))
        return Ensured({"arn": f"arn:aws:{self.KIND.replace('_', '-')}:eu-central-1:123456789012:{spec.get('name', self.KIND)}"})

    def observe(self, aws: object, spec: Spec, known: Known) -> Observed:
        return Observed(present=self._key(spec) in self._aws.made)

    def remove(self, aws: object, spec: Spec, known: Known) -> Removed:
        self._aws.made.discard(self._key(spec))
        return Removed()


@contextmanager
def pretended_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendAws]:
    """Replace the kinds' calls and the doorbell; nothing runs unless a test runs it."""
    world = PretendAws()
    registry = {name: PretendKind(kind, world) for name, kind in resources.KINDS.items()}
    for module in (desired, plan, engine, drift):
        monkeypatch.setattr(module, "KINDS", registry)
    monkeypatch.setattr("tenants.clouds.connect_to", lambda cell, *, session_name: object())
    monkeypatch.setattr("provisioning.doorbell.ring", lambda operation_id, *, delay_seconds=0: None)
    yield world
