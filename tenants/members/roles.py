"""Who may do what to whom. Pure but for the names of the roles.

An owner may do everything to everybody, within what ``services`` guards (the last owner; oneself). An admin looks after admins, developers and
viewers, and cannot make or touch an owner. The others look after nobody.
"""

from __future__ import annotations

from tenants.members.models import Role

_GIVES: dict[str, frozenset[str]] = {
    Role.OWNER: frozenset(Role.values),
    Role.ADMIN: frozenset({Role.ADMIN, Role.DEVELOPER, Role.VIEWER}),
}


def may_manage(acting: str, role: str) -> bool:
    """Say whether somebody in the role ``acting`` may invite, change, disable or remove somebody in ``role``."""
    return role in _GIVES.get(acting, frozenset())


def roles_given_by(acting: str) -> tuple[Role, ...]:
    """Give the roles that somebody may give away, the strongest first."""
    return tuple(role for role in Role if may_manage(acting, role))
