"""Who acts. Every service takes an actor, and the audit log keeps it as two strings and a label."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class ActorKind(enum.StrEnum):
    """The kinds of hands that can touch the product; ``key`` is a key that its tenant gave the right to manage keys."""

    OPERATOR = "operator"
    MEMBER = "member"
    HOOK = "hook"
    KEY = "key"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that acts: ``kind``, a stable ``id``, and a ``label`` for people (never an e-mail of a learner)."""

    kind: ActorKind
    id: str
    label: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Actor:
        """Read back what ``str(actor)`` wrote; raises ValueError on an unknown kind."""
        kind, separator, identity = text.partition(":")
        if not separator or not identity:
            raise ValueError(f"not an actor: {text!r}")
        return cls(ActorKind(kind), identity)


def operator(identity: str, label: str = "") -> Actor:
    """An operator, by user name or token id."""
    return Actor(ActorKind.OPERATOR, identity, label)


def system(name: str) -> Actor:
    """A part of the product acting by itself: ``system("sweep")``."""
    return Actor(ActorKind.SYSTEM, name)
