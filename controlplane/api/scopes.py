"""What a token may do. Pure.

A scope is ``<noun>:<read or write>``. Writing does not include reading: a billing system may start onboardings without being able to list
the tenants of others. ``keys:verify`` stands alone: the SaaS's own back end may ask whether a key is good and see nothing else of it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable


class Scope(enum.StrEnum):
    """Every scope there is."""

    TENANTS_READ = "tenants:read"
    TENANTS_WRITE = "tenants:write"
    OPERATIONS_READ = "operations:read"
    OPERATIONS_WRITE = "operations:write"
    TIERS_READ = "tiers:read"
    TIERS_WRITE = "tiers:write"
    CELLS_READ = "cells:read"
    AUDIT_READ = "audit:read"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    KEYS_VERIFY = "keys:verify"
    LIMITS_READ = "limits:read"
    LIMITS_WRITE = "limits:write"

    @property
    def noun(self) -> str:
        """What it is about: ``tenants``."""
        return self.value.partition(":")[0]


def parse_scopes(words: Iterable[str]) -> tuple[Scope, ...]:
    """Read scopes in the order of the list above, each once; ``*`` is all, ``*:read`` all that read. Raises ValueError on a word unknown."""
    chosen: set[Scope] = set()
    for word in words:
        if word == "*":
            chosen.update(Scope)
        elif word == "*:read":
            chosen.update(scope for scope in Scope if scope.value.endswith(":read"))
        else:
            chosen.add(Scope(word))
    return tuple(scope for scope in Scope if scope in chosen)


SEES_NOTHING = frozenset({Scope.KEYS_VERIFY})
"""Who asks whether a key is good has its text; that somebody else's exists, or a tenant, is not for them to know."""


def may_see(held: Iterable[str], noun: str) -> bool:
    """Say whether somebody with these scopes may know that a thing of this noun exists: any scope of the noun will do that sees at all."""
    return any(word.partition(":")[0] == noun for word in held if word not in SEES_NOTHING)
