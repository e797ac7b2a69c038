"""Who wants to hear what: consumers register themselves at start, from an ``AppConfig.ready`` of a floor above."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from core.outbox.models import OutboxEvent

Handler = Callable[[OutboxEvent], None]
ATTEMPTS = 16  # about six and a half hours with core.outbox.backoff: an evening's outage heals by itself
LEASE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Consumer:
    """A named handler and what it wants.

    ``types`` are event types, ``noun.*`` for all of a noun, ``*`` for all. ``attempts`` is the budget of calls before an event is
    dead. ``lease_seconds`` is how long a call may take before another relay may take it for crashed; it must exceed the handler's
    own time-outs. ``when_dead`` says what a dead event means for the tenant's later ones: ``hold`` keeps them back until an
    operator has driven it again or discarded it (strict order), ``pass`` lets them go on (a consumer that can do without one).
    A ``prompt`` one is also called in the process that committed, right after the commit (:mod:`core.outbox.prompt`).
    """

    name: str
    types: tuple[str, ...]
    handler: Handler
    attempts: int = ATTEMPTS
    lease_seconds: float = LEASE_SECONDS
    when_dead: Literal["hold", "pass"] = "hold"
    prompt: bool = False

    def wants(self, type_: str) -> bool:
        """Whether events of this type go to this consumer."""
        return any(w in ("*", type_) or (w.endswith(".*") and type_.startswith(w[:-1])) for w in self.types)


_consumers: dict[str, Consumer] = {}


def subscribe(
    name: str,
    types: Iterable[str],
    handler: Handler,
    *,
    attempts: int = ATTEMPTS,
    lease_seconds: float = LEASE_SECONDS,
    when_dead: Literal["hold", "pass"] = "hold",
    prompt: bool = False,
) -> Consumer:
    """Register a consumer under a name that never changes: its deliveries are stored under it.

    ``handler(event)`` is called outside any transaction, must be idempotent by ``event.id``, and says *not done* by raising.
    Subscribing the same name with the same handler again is fine; with another it raises ValueError. A new consumer gets the events
    that are relayed from then on.
    """
    if isinstance(types, str):
        raise TypeError("types is a list of event types, not one text")
    consumer = Consumer(name, tuple(types), handler, attempts, lease_seconds, when_dead, prompt)
    known = _consumers.get(name)
    if known is not None and known.handler != handler:
        raise ValueError(f"there is another consumer called {name}")
    if attempts < 1 or lease_seconds <= 0 or not consumer.types:
        raise ValueError("a consumer needs types, at least one attempt and a lease")
    _consumers[name] = consumer
    return consumer


def unsubscribe(name: str) -> None:
    """Forget a consumer (for tests); what was not delivered to it stays where it is."""
    _consumers.pop(name, None)


def consumers() -> Mapping[str, Consumer]:
    """All consumers by name, read-only."""
    return MappingProxyType(_consumers)
