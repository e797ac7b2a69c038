"""The words that rules about routes are written in."""

from __future__ import annotations

from tenants.members.models import Role

Rules = dict[str, dict[str, frozenset[Role]]]
"""URL name -> HTTP method -> roles. HEAD goes with GET; a method that is not named is refused."""

OWNERS = frozenset({Role.OWNER})
MANAGERS = frozenset({Role.OWNER, Role.ADMIN})
MAKERS = frozenset({Role.OWNER, Role.ADMIN, Role.DEVELOPER})
EVERYBODY = frozenset(Role)
"""Everybody who is signed in; whoever is not has ``access.OPEN``."""
