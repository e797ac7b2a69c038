"""The states of a tenant, who acts next in each, and which changes are lawful. Pure.

``requested -> provisioning -> active <-> suspended``, ``active | suspended -> offboarding -> closed``; offboarding can be undone until
its grace has run out, and an onboarding that is abandoned goes from ``provisioning`` to ``closed``.
"""

from __future__ import annotations

import enum


class TenantState(enum.StrEnum):
    """Where a tenant stands. Each comment says who acts next."""

    REQUESTED = "requested"  # the caller's own transaction: it writes the operation and moves on at once
    PROVISIONING = "provisioning"  # the engine; after a failure an operator, with retry or abandon
    ACTIVE = "active"  # nobody; operators may suspend, re-tier or offboard
    SUSPENDED = "suspended"  # an operator, who resumes or offboards; the edge refuses from commit on
    OFFBOARDING = "offboarding"  # the clock: at the end of the grace everything is removed; an operator may undo before
    CLOSED = "closed"  # nobody, ever again: the row stays for the audit, the slug is never given out anew


LAWFUL: dict[TenantState, tuple[TenantState, ...]] = {
    TenantState.REQUESTED: (TenantState.PROVISIONING,),
    TenantState.PROVISIONING: (TenantState.ACTIVE, TenantState.CLOSED),
    TenantState.ACTIVE: (TenantState.SUSPENDED, TenantState.OFFBOARDING),
    TenantState.SUSPENDED: (TenantState.ACTIVE, TenantState.OFFBOARDING),
    TenantState.OFFBOARDING: (TenantState.ACTIVE, TenantState.SUSPENDED, TenantState.CLOSED),
    TenantState.CLOSED: (),
}

LIVING = (TenantState.PROVISIONING, TenantState.ACTIVE, TenantState.SUSPENDED, TenantState.OFFBOARDING)
SERVED = (TenantState.ACTIVE,)


def sources_of(target: TenantState) -> tuple[TenantState, ...]:
    """Give the states from which ``target`` may be entered."""
    return tuple(source for source, targets in LAWFUL.items() if target in targets)
